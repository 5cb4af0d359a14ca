/*
 * An NFS client by libnfs.
 *
 *   h_nfs do URL     makes, changes, moves and removes files; prints what it finds
 *   h_nfs keep URL FILE...
 *                    writes files of URL, waits for a line on standard input, and reads them again by the handles it has
 */
#include <sys/types.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utime.h>
#include <nfsc/libnfs.h>

static struct nfs_context *mounted(const char *url)
{
	struct nfs_context *nfs = nfs_init_context();
	struct nfs_url *parts = nfs_parse_url_dir(nfs, url);

	if (parts == NULL || nfs_mount(nfs, parts->server, parts->path) != 0) {
		fprintf(stderr, "%s: %s\n", url, nfs_get_error(nfs));
		exit(1);
	}
	nfs_set_autoreconnect(nfs, -1);
	return nfs;
}

static void tell(const char *what, int result)
{
	printf("%s: %d\n", what, result);
}

static void show(struct nfs_context *nfs, const char *path)
{
	struct nfs_stat_64 st;
	int result = nfs_lstat64(nfs, path, &st);

	if (result != 0) {
		tell(path, result);
		return;
	}
	printf("%s: mode %o links %d size %d mtime %d\n", path, (unsigned)st.nfs_mode, (int)st.nfs_nlink, (int)st.nfs_size,
	    st.nfs_mtime == 1000000000 ? 1 : 0);
}

static void list(struct nfs_context *nfs, const char *path)
{
	struct nfsdir *dir;
	struct nfsdirent *entry;

	tell("opendir", nfs_opendir(nfs, path, &dir));
	while ((entry = nfs_readdir(nfs, dir)) != NULL)
		/* The size of a directory is each file system's own affair. */
		if (entry->name[0] != '.')
			printf("  %s %o %d\n", entry->name, entry->mode & 07777, (int)entry->size);
	nfs_closedir(nfs, dir);
}

static int work(const char *url)
{
	struct nfs_context *nfs = mounted(url);
	struct nfsfh *fh;
	struct timeval times[2] = { { 1000000000, 0 }, { 1000000000, 0 } };
	struct statvfs vfs;
	char text[64] = "";

	nfs_set_uid(nfs, 1000);
	nfs_set_gid(nfs, 1000);
	tell("mkdir", nfs_mkdir2(nfs, "/work", 0755));
	tell("mkdir again", nfs_mkdir2(nfs, "/work", 0755));
	tell("creat", nfs_open2(nfs, "/work/a", O_CREAT | O_EXCL | O_RDWR, 0640, &fh));
	tell("pwrite", nfs_pwrite(nfs, fh, 4, 9, "some text"));
	tell("fsync", nfs_fsync(nfs, fh));
	tell("pread", nfs_pread(nfs, fh, 2, sizeof(text), text));
	printf("%s\n", text + 2);
	tell("ftruncate", nfs_ftruncate(nfs, fh, 8));
	tell("close", nfs_close(nfs, fh));
	tell("creat again", nfs_open2(nfs, "/work/a", O_CREAT | O_EXCL | O_RDWR, 0640, &fh));
	tell("chmod", nfs_chmod(nfs, "/work/a", 04755));
	tell("utimes", nfs_utimes(nfs, "/work/a", times));
	show(nfs, "/work/a");
	tell("chown", nfs_chown(nfs, "/work/a", 1001, 1001));
	tell("link", nfs_link(nfs, "/work/a", "/work/b"));
	tell("symlink", nfs_symlink(nfs, "a", "/work/l"));
	tell("readlink", nfs_readlink(nfs, "/work/l", text, sizeof(text)));
	printf("%s\n", text);
	tell("mknod", nfs_mknod(nfs, "/work/p", S_IFIFO | 0600, 0));
	tell("rename", nfs_rename(nfs, "/work/b", "/work/c"));
	tell("rmdir", nfs_rmdir(nfs, "/work"));
	tell("access", nfs_access(nfs, "/work/a", 4));
	tell("truncate", nfs_truncate(nfs, "/work/c", 3));
	show(nfs, "/work/c");
	show(nfs, "/work/none");
	list(nfs, "/work");
	tell("unlink", nfs_unlink(nfs, "/work/c"));
	tell("unlink", nfs_unlink(nfs, "/work/c"));
	tell("statvfs", nfs_statvfs(nfs, "/", &vfs));
	tell("free", vfs.f_bfree > 0 && vfs.f_bfree <= vfs.f_blocks);
	nfs_destroy_context(nfs);
	return 0;
}

static int keep(const char *url, char **files, int count)
{
	struct nfs_context *nfs = mounted(url);
	struct nfsfh *fh[8];
	char text[16], line[16];
	int i, result;

	for (i = 0; i < count && i < 8; i++) {
		if (nfs_open2(nfs, files[i], O_CREAT | O_RDWR, 0644, &fh[i]) != 0)
			return 2;
		if (nfs_pwrite(nfs, fh[i], 0, 4, "kept") != 4 || nfs_fsync(nfs, fh[i]) != 0)
			return 3;
	}
	puts("ready");
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return 4;
	for (i = 0; i < count && i < 8; i++) {
		memset(text, 0, sizeof(text));
		result = nfs_pread(nfs, fh[i], 0, sizeof(text) - 1, text);
		printf("%s: %s\n", files[i], result >= 0 ? text : "gone");
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "do") == 0)
		return work(argv[2]);
	if (argc > 3 && strcmp(argv[1], "keep") == 0)
		return keep(argv[2], argv + 3, argc - 3);
	return 64;
}
