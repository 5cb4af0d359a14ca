/* A file handle of the rump kernel: made by path, opened without one, stale once the file is gone. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
	struct file_handle *handle = calloc(1, sizeof(*handle) + MAX_HANDLE_SZ);
	char text[16] = "";
	int mount, fd, host;

	fd = open("/rump/tmp/f", O_CREAT | O_WRONLY, 0600);
	if (fd < 0 || write(fd, "bytes", 5) != 5)
		return 1;
	handle->handle_bytes = 0;
	if (name_to_handle_at(AT_FDCWD, "/rump/tmp/f", handle, &mount, 0) != -1 || errno != EOVERFLOW)
		return 2;
	if (name_to_handle_at(AT_FDCWD, "/rump/tmp/f", handle, &mount, 0) != 0)
		return 3;
	host = open("/", O_RDONLY | O_DIRECTORY);
	fd = open_by_handle_at(host, handle, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text)) != 5 || strcmp(text, "bytes") != 0)
		return 4;
	close(fd);
	if (unlink("/rump/tmp/f") != 0)
		return 5;
	fd = open("/rump/tmp", O_RDONLY | O_DIRECTORY);
	if (open_by_handle_at(fd, handle, O_RDONLY) != -1)
		return 6;
	puts(errno == ESTALE ? "stale" : strerror(errno));
	return 0;
}
