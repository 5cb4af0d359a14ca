/*
 * File handles of the rump kernel.
 *
 *   h_handle                   made by path, opened without one, stale once the file is gone
 *   h_handle make PATH FILE    writes the handle of PATH to FILE, a file of the host
 *   h_handle open PATH FILE    opens that handle in the mount of PATH, and prints what is in it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct file_handle *room(void)
{
	struct file_handle *handle = calloc(1, sizeof(*handle) + MAX_HANDLE_SZ);

	if (handle == NULL)
		exit(100);
	handle->handle_bytes = MAX_HANDLE_SZ;
	return handle;
}

static int make(const char *path, const char *file)
{
	struct file_handle *handle = room();
	FILE *out = fopen(file, "w");
	int mount;

	if (name_to_handle_at(AT_FDCWD, path, handle, &mount, 0) != 0) {
		puts(strerrorname_np(errno));
		return 0;
	}
	fwrite(handle, sizeof(*handle) + handle->handle_bytes, 1, out);
	return fclose(out);
}

static int open_made(const char *path, const char *file)
{
	struct file_handle *handle = room();
	char text[64] = "";
	FILE *in = fopen(file, "r");
	int mount = open(path, O_RDONLY), fd;

	if (in == NULL || fread(handle, 1, sizeof(*handle) + MAX_HANDLE_SZ, in) < sizeof(*handle))
		return 1;
	fd = open_by_handle_at(mount, handle, O_RDONLY);
	if (fd < 0)
		puts(strerrorname_np(errno));
	else if (read(fd, text, sizeof(text) - 1) >= 0)
		puts(text);
	return 0;
}

int main(int argc, char **argv)
{
	struct file_handle *handle = calloc(1, sizeof(*handle) + MAX_HANDLE_SZ);
	char text[16] = "";
	int mount, fd, host;

	if (argc == 4)
		return strcmp(argv[1], "make") == 0 ? make(argv[2], argv[3]) : open_made(argv[2], argv[3]);
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
