/* Contents and times: utimensat(2), which times move when, holes, copies, positions, limits. */
#include "posix.h"
#include <linux/aio_abi.h>
#include <sys/eventfd.h>

static void ts(const char *what, const char *n)
{
	struct stat s;
	lstat(n, &s);
	printf("  %s: %lld.%09ld %lld.%09ld\n", what, (long long)s.st_atim.tv_sec, s.st_atim.tv_nsec,
	    (long long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
}
static struct stat before;

static void mark(const char *n)
{
	struct timespec t = { 0, 30000000 };
	lstat(n, &before);
	nanosleep(&t, 0);
}

#define NE(f) (s.f.tv_sec != before.f.tv_sec || s.f.tv_nsec != before.f.tv_nsec)

static void moved(const char *what, const char *n)
{
	struct stat s;
	lstat(n, &s);
	printf("  %s:%s%s\n", what, NE(st_mtim) ? " mtime" : "", NE(st_ctim) ? " ctime" : "");
}

#define M(n, ...)                       \
	do {                            \
		mark(n);                \
		__VA_ARGS__;            \
		moved(#__VA_ARGS__, n); \
	} while (0)

static void map(int fd, const char *t)
{
	off_t o = 0, e = lseek(fd, 0, SEEK_END);
	printf("  %s:", t);
	while (o < e) {
		off_t d = lseek(fd, o, SEEK_DATA);
		if (d < 0) {
			printf(" hole to end");
			break;
		}
		off_t h = lseek(fd, d, SEEK_HOLE);
		printf(" [%ld-%ld)", (long)d, (long)h);
		o = h;
	}
	printf(" size %ld\n", (long)e);
	fflush(stdout);
}

static char buf[65536], big[65536];
/* No memory is there. */
static void *volatile nowhere = (void *)8;
/* Not so for the compiler. */
static volatile int below = -1;
static struct stat s;
static int fd, ro, f, g, pp[2];
static const struct timespec t1[2] = { { 1000000000, 1 }, { 1100000000, 999999999 } };

static void try_utimensat(void)
{
	puts("utimensat:");
	touch("a", "aaaa");
	symlink("a", "s");
	symlink("none", "dang");
	mkdir("d", 0755);
	S(utimensat(AT_FDCWD, "a", t1, 0));
	ts("set", "a");
	struct timespec t2[2] = { { 5, UTIME_OMIT }, { 1200000000, 0 } };
	S(utimensat(AT_FDCWD, "a", t2, 0));
	ts("omit a", "a");
	struct timespec t3[2] = { { 1300000000, 5 }, { 5, UTIME_OMIT } };
	S(utimensat(AT_FDCWD, "a", t3, 0));
	ts("omit m", "a");
	struct timespec t4[2] = { { 5, UTIME_OMIT }, { 5, UTIME_OMIT } };
	S(utimensat(AT_FDCWD, "a", t4, 0));
	S(utimensat(AT_FDCWD, "none", t4, 0));
	M("a", utimensat(AT_FDCWD, "a", t4, 0));
	struct timespec t5[2] = { { 5, 1000000000 }, { 5, 0 } };
	S(utimensat(AT_FDCWD, "a", t5, 0));
	struct timespec t6[2] = { { 5, -1 }, { 5, 0 } };
	S(utimensat(AT_FDCWD, "a", t6, 0));
	struct timespec t7[2] = { { 99, UTIME_NOW }, { 1400000000, 7 } };
	S(utimensat(AT_FDCWD, "a", t7, 0));
	stat("a", &s);
	printf("now? %d %ld\n", time(0) - s.st_atime < 3, (long)s.st_mtime);
	S(utimensat(AT_FDCWD, "s", t1, AT_SYMLINK_NOFOLLOW));
	ts("link", "s");
	S(utimensat(AT_FDCWD, "dang", t1, 0));
	S(utimensat(AT_FDCWD, "dang", t1, AT_SYMLINK_NOFOLLOW));
	S(utimensat(AT_FDCWD, "a", t1, 0x8000));
	S(syscall(SYS_utimensat, AT_FDCWD, 0, t1, 0));
	fd = open("a", O_RDONLY);
	S(syscall(SYS_utimensat, fd, 0, t1, 0));
	S(syscall(SYS_utimensat, fd, 0, t1, AT_SYMLINK_NOFOLLOW));
	S(utimensat(fd, "", t1, AT_EMPTY_PATH));
	ts("by fd", "a");
	close(fd);
	struct utimbuf ub = { 7, 8 };
	S(utime("a", &ub));
	ts("utime", "a");
	S(utime("a", 0));
	struct timeval tv[2] = { { 1, 2 }, { 3, 1000000 } };
	S(utimes("a", tv));
	tv[1].tv_usec = 4;
	S(utimes("a", tv));
	ts("utimes", "a");
	S(lutimes("s", tv));
	S(futimesat(AT_FDCWD, "a", tv));
	S(utimensat(AT_FDCWD, "d", t1, 0));
	ts("dir", "d");
}

static void try_which_times_move(void)
{
	puts("which times move:");

	touch("m", "data");
	fd = open("m", O_RDWR);
	utimensat(AT_FDCWD, "m", t1, 0);
	M("m", write(fd, "x", 1));
	M("m", write(fd, "", 0));
	M("m", pread(fd, buf, 1, 0));
	M("m", pread(fd, buf, 1, 0));
	M("m", pread(fd, buf, 0, 0));
	M("m", pread(fd, buf, 1, 100));
	M("m", chmod("m", 0644));
	M("m", chmod("m", 0600));
	M("m", chown("m", -1, -1));
	M("m", chown("m", getuid(), -1));
	M("m", ftruncate(fd, 4));
	M("m", ftruncate(fd, 5));
	M("m", truncate("m", 5));
	M("m", truncate("m", 3));
	M("m", link("m", "m2"));
	M("m", unlink("m2"));
	M("m", rename("m", "m3"); rename("m3", "m"));
	M("m", setxattr("m", "user.a", "b", 1, 0));
	M("m", getxattr("m", "user.a", buf, 9));
	M("m", removexattr("m", "user.a"));
	M("m", fallocate(fd, 0, 0, 10));
	M("m", fallocate(fd, 0, 0, 5));
	M("m", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 5));
	M("m", close(open("m", O_WRONLY | O_TRUNC)));
	M("m", close(open("m", O_WRONLY | O_TRUNC)));
	M("m", close(open("m", O_CREAT | O_WRONLY, 0600)));
	M("m", fsync(fd));
	M("m", pwrite(fd, "abc", 3, 10));
	M("m", lseek(fd, 0, 0));
	M("m", sendfile(open("sf", O_CREAT | O_RDWR, 0600), fd, 0, 3));
	M("m", copy_file_range(fd, &(off_t){ 0 }, open("sf", O_RDWR), 0, 3, 0));
	M("sf", copy_file_range(fd, &(off_t){ 0 }, open("sf", O_RDWR), 0, 3, 0));
	M("m", ftruncate(fd, 20000));
	char *p = mmap(0, 20000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	answered("mmap", p == MAP_FAILED ? -1 : 0);
	if (p != MAP_FAILED) {
		S(pread(fd, buf, 1, 0));
		printf("%c\n", buf[0]);
		S(pwrite(fd, "w", 1, 1));
		printf("%c\n", p[1]);
		S(ftruncate(fd, 30000));
		S(msync(p, 20000, MS_SYNC | MS_ASYNC));
		S(msync(p + 1, 10, MS_SYNC));
		S(munmap(p, 20000));
	}
	M("d", touch("d/f", ""));
	M("d", touch("d/f", "x"));
	M("d", unlink("d/f"));
	M("d", mkdir("d/g", 0755));
	M("d", rmdir("d/g"));
	M("d", rmdir("d/none"));
	M("d", symlink("x", "d/l"));
	M("d", rename("d/l", "d/m"));
	M("d", link("a", "d/a"));
	M("d", rename("d/a", "d/b"));
	M("d", DIR *q = opendir("d"); readdir(q); closedir(q));
	M("d", chmod("d/b", 0600));
	M("d/b", unlink("d/m"));
	M("s", readlink("s", buf, 10));
	M("s", readlink("s", buf, 10));
	M("s", close(open("s", O_RDONLY)));
	M("d", rename("d", "d2"));
	rename("d2", "d");
	mkdir("dd", 0755);
	M("d", rename("dd", "d/dd"));
	M("d/dd", rename("d/dd", "d/de"));
}

static void try_sparse(void)
{
	puts("sparse:");
	fd = open("sp", O_CREAT | O_RDWR, 0644);
	S(ftruncate(fd, 1 << 20));
	map(fd, "all hole");
	S(pwrite(fd, big, 4096, 327680));
	map(fd, "one");
	S(pwrite(fd, big, 8192, 0));
	map(fd, "two");
	fstat(fd, &s);
	S(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096));
	map(fd, "punched");
	S(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 200));
	S(pread(fd, buf, 400, 0));
	printf("%d %d %d %d\n", buf[99], buf[100], buf[299], buf[300]);
	S(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10));
	S(fallocate(fd, FALLOC_FL_KEEP_SIZE, 1 << 20, 8192));
	fstat(fd, &s);
	printf("size %ld\n", (long)s.st_size);
	S(fallocate(fd, 0, 1 << 20, 8192));
	fstat(fd, &s);
	printf("size %ld\n", (long)s.st_size);
	S(fallocate(fd, 0, -1, 10));
	S(fallocate(fd, 0, 0, 0));
	S(fallocate(fd, 0, 0, -1));
	S(fallocate(fd, 0, INT64_MAX, 1));
	S(fallocate(fd, 1 << 20, 0, 1));
	ro = open("sp", O_RDONLY);
	S(fallocate(ro, 0, 0, 1));
	S(ftruncate(ro, 0));
	S(fallocate(open("d", O_RDONLY), 0, 0, 1));
	pipe(pp);
	S(fallocate(pp[1], 0, 0, 1));
	S(lseek(fd, -1, SEEK_DATA));
	S(lseek(fd, 1 << 22, SEEK_DATA));
	S(lseek(fd, 1 << 22, SEEK_HOLE));
	S(lseek(fd, -1, SEEK_SET));
	S(lseek(fd, -1, SEEK_CUR) >= 0);
	S(lseek(fd, 0, 9));
	S(lseek(fd, 1, SEEK_END));
	S(pread(fd, buf, 1, -1));
	S(pwrite(fd, buf, 1, -1));
	S(ftruncate(fd, -1));
	S(truncate("d", 0));
	S(truncate("none", 0));
	S(posix_fallocate(fd, 0, 100));
	S(posix_fadvise(fd, 0, 0, 4));
	S(posix_fadvise(fd, 0, 0, 77));
	S(readahead(fd, 0, 100));
	S(readahead(pp[0], 0, 100));
	S(sync_file_range(fd, 0, 100, 2));
	S(sync_file_range(fd, 0, 100, 64));
	S(syncfs(fd));
	S(fdatasync(fd));
	S(ftruncate(fd, 0));
	map(fd, "empty");
	S(lseek(fd, 0, SEEK_DATA));
	S(lseek(fd, 0, SEEK_HOLE));
}

static void try_copy(void)
{
	puts("copy:");
	touch("from", "0123456789");
	f = open("from", O_RDWR), g = open("to", O_CREAT | O_RDWR, 0644);
	S(copy_file_range(f, 0, g, 0, 4, 0));
	S(copy_file_range(f, 0, g, 0, 100, 0));
	S(copy_file_range(f, 0, g, 0, 100, 0));
	S(copy_file_range(f, 0, g, 0, 1, 1));
	off_t o1 = 0, o2 = 2;
	S(copy_file_range(f, &o1, f, &o2, 5, 0));
	o2 = 20;
	S(copy_file_range(f, &o1, f, &o2, 5, 0));
	printf("%ld %ld\n", (long)o1, (long)o2);
	S(copy_file_range(f, 0, ro, 0, 1, 0));
	int ap = open("to", O_WRONLY | O_APPEND);
	S(copy_file_range(f, 0, ap, 0, 1, 0));
	S(copy_file_range(open("d", O_RDONLY), 0, g, 0, 1, 0));
	o1 = 1;
	S(sendfile(g, f, &o1, 3));
	printf("%ld\n", (long)o1);
	S(sendfile(ap, f, 0, 3));
	S(sendfile(g, pp[0], 0, 1));
	S(sendfile(f, g, &(off_t){ -1 }, 3));
	S(splice(f, &(off_t){ 0 }, pp[1], 0, 5, 0));
	S(read(pp[0], buf, 10));
	S(splice(f, &(off_t){ 0 }, g, 0, 5, 0));
	write(pp[1], "pipe", 4);
	S(splice(pp[0], 0, g, &(off_t){ 100 }, 4, 0));
	fstat(g, &s);
	printf("size %ld\n", (long)s.st_size);
}

static void try_rw(void)
{
	puts("rw:");
	int ww = open("rw", O_CREAT | O_WRONLY, 0600), rr = open("rw", O_RDONLY);
	S(read(ww, buf, 1));
	S(write(rr, buf, 1));
	S(read(open("d", O_RDONLY), buf, 1));
	S(write(open("d", O_RDONLY), buf, 1));
	S(pwrite(ww, "abc", 3, 5));
	S(pread(rr, buf, 20, 0));
	struct iovec iv[1025] = { { "one", 3 }, { 0, 0 }, { "two", 3 } };
	S(writev(ww, iv, 3));
	S(writev(ww, iv, 0));
	S(writev(ww, iv, 1025));
	S(writev(ww, iv, below));
	S(pwritev2(ww, iv, 3, -1, 0));
	S(pwritev2(ww, iv, 3, 0, RWF_APPEND));
	S(pwritev2(ww, iv, 3, 0, RWF_DSYNC | RWF_SYNC));
	S(pwritev2(ww, iv, 3, 0, 1 << 20));
	struct iovec rv[1] = { { buf, 100 } };
	S(preadv2(rr, rv, 1, 0, RWF_HIPRI));
	S(preadv2(rr, rv, 1, 0, 1 << 20));
	S(preadv2(rr, rv, 1, -1, 0));
	S(preadv(rr, rv, 1, -1));
	int aw = open("rw", O_WRONLY | O_APPEND);
	S(pwrite(aw, "end", 3, 0));
	fstat(aw, &s);
	printf("size %ld\n", (long)s.st_size);
	S(lseek(aw, 0, SEEK_CUR));
	S(write(aw, "e", 1));
	S(lseek(aw, 0, SEEK_CUR));
	S(fcntl(aw, F_SETFL, 0));
	S(pwrite(aw, "E", 1, 0));
	S(fcntl(aw, F_SETFL, O_APPEND | O_NONBLOCK));
	S(fcntl(aw, F_GETFL) & ~O_LARGEFILE);
	S(fcntl(aw, F_SETFL, O_DIRECT));
	S(write(ww, nowhere, 10));
	S(ioctl(rr, FIONREAD, buf));
	printf("%d\n", *(int *)buf);
	S(ioctl(rr, FIGETBSZ, buf));
	S(ioctl(rr, TCGETS, buf));
	S(ioctl(rr, 0x9999, buf));
	S(ioctl(rr, FIOCLEX));
	S(fcntl(rr, F_GETFD));
	S(ioctl(rr, FIONCLEX));
	S(ioctl(rr, FIONBIO, &(int){ 1 }));
	S(fcntl(rr, F_GETFL) & ~O_LARGEFILE);
	int od = open("rw", O_RDWR | O_DIRECT);
	answered("direct", od < 0 ? -1 : 0);
	S(pread(od, buf + 1, 7, 3) >= -1);
	int dsy = open("rw", O_RDWR | O_SYNC | O_DSYNC);
	S(fcntl(dsy, F_GETFL) & ~O_LARGEFILE);
	S(write(dsy, "1", 1));
}

static void try_limits(void)
{
	puts("limits:");
	signal(SIGXFSZ, SIG_IGN);
	struct rlimit rl = { 1000, RLIM_INFINITY };
	S(setrlimit(RLIMIT_FSIZE, &rl));
	int lf = open("lim", O_CREAT | O_RDWR, 0600);
	S(write(lf, big, 900));
	S(write(lf, big, 900));
	S(write(lf, big, 1));
	S(ftruncate(lf, 2000));
	S(fallocate(lf, 0, 0, 2000));
	S(copy_file_range(f, &(off_t){ 0 }, lf, &(off_t){ 1000 }, 1, 0));
	S(ftruncate(lf, 10));
	S(truncate("lim", 1001));
	rl.rlim_cur = RLIM_INFINITY;
	S(setrlimit(RLIMIT_FSIZE, &rl));
}

/* Submits a block and tells what comes of it. */
static void submit(aio_context_t context, const char *what, struct iocb block)
{
	struct iocb *blocks[] = { &block };
	struct io_event event = { 0 };
	struct timespec second = { 1, 0 };
	block.aio_data = 77;
	errno = 0;
	long submitted = syscall(SYS_io_submit, context, 1, blocks);
	answered(what, submitted);
	if (submitted != 1)
		return;
	long got = syscall(SYS_io_getevents, context, 1, 1, &event, &second);
	printf("%ld event: %lld, its own: %d\n", got, (long long)event.res,
	    event.data == 77 && event.obj == (uintptr_t)&block);
}

#define B(...) submit(context, #__VA_ARGS__, (struct iocb){ __VA_ARGS__ })
#define CMD(name) .aio_lio_opcode = IOCB_CMD_##name
#define AT(memory, n, at) .aio_buf = (uintptr_t)(memory), .aio_nbytes = (n), .aio_offset = (at)

static void try_aio(void)
{
	puts("aio:");
	aio_context_t context = 0;
	S(syscall(SYS_io_setup, 8, &context));
	int file = open("aio", O_CREAT | O_RDWR, 0600), directory = open(".", O_RDONLY);
	int only = open("aio", O_RDONLY), told = eventfd(0, EFD_NONBLOCK);
	struct iovec parts[] = { { "one", 3 }, { "two", 3 } }, into[] = { { buf, 2 }, { buf + 2, 100 } };
	B(CMD(PWRITE), .aio_fildes = file, AT(big, 5000, 0));
	B(CMD(PWRITEV), .aio_fildes = file, AT(parts, 2, 4998));
	B(CMD(PREAD), .aio_fildes = file, AT(buf, 5, 4996));
	printf("%.5s\n", buf);
	B(CMD(PREADV), .aio_fildes = only, AT(into, 2, 4998), .aio_flags = IOCB_FLAG_RESFD, .aio_resfd = told);
	printf("%.6s\n", buf);
	S(read(told, buf, 8));
	B(CMD(PREAD), .aio_fildes = file, AT(buf, 5, 9000));
	B(CMD(PWRITE), .aio_fildes = file, AT(buf, 1, 0), .aio_rw_flags = RWF_APPEND);
	B(CMD(FSYNC), .aio_fildes = file);
	B(CMD(FDSYNC), .aio_fildes = file);
	B(CMD(FSYNC), .aio_fildes = file, .aio_nbytes = 1);
	B(CMD(PWRITE), .aio_fildes = only, AT(buf, 1, 0));
	B(CMD(PREAD), .aio_fildes = directory, AT(buf, 1, 0));
	B(CMD(PREAD), .aio_fildes = file, AT(buf, 1, -1));
	B(CMD(PREAD), .aio_fildes = file, AT(buf, -1, 0));
	B(.aio_lio_opcode = 99, .aio_fildes = file);
	B(CMD(PREAD), .aio_fildes = file, AT(buf, 1, 0), .aio_flags = 64);
	S(lseek(file, 0, SEEK_CUR));
	S(mkfifo("aiofifo", 0600));
	int fifo = open("aiofifo", O_RDWR | O_NONBLOCK);
	B(CMD(PREAD), .aio_fildes = fifo, AT(buf, 1, 0));
	B(CMD(POLL), .aio_fildes = fifo, .aio_buf = POLLOUT);
	B(CMD(PWRITE), .aio_fildes = fifo, AT("fifo", 4, 0));
	B(CMD(POLL), .aio_fildes = fifo, .aio_buf = POLLIN);
	B(CMD(PREAD), .aio_fildes = fifo, AT(buf, 10, 0));
	/* Of a list as much is submitted as can be. */
	int hosts = open("/proc/self/exe", O_RDONLY);
	struct iocb list[4] = { { CMD(PREAD), .aio_fildes = hosts, AT(buf, 3, 0) }, { CMD(PREAD), .aio_fildes = file, AT(buf, 4, 0) },
		{ CMD(PREAD), .aio_fildes = hosts, AT(buf, 5, 0) }, { .aio_lio_opcode = 99, .aio_fildes = file } };
	struct iocb *blocks[] = { &list[0], &list[1], &list[2], &list[3], &list[0] };
	struct io_event events[8];
	S(syscall(SYS_io_submit, context, 5, blocks));
	long sum = 0, got = syscall(SYS_io_getevents, context, 3, 8, events, 0);
	for (int i = 0; i < got; i++)
		sum += (long)events[i].res;
	printf("%ld events, %ld bytes\n", got, sum);
	S(syscall(SYS_io_submit, context + 1, 1, blocks + 1));
	S(syscall(SYS_io_destroy, context));
}

int main(int argc, char **argv)
{
	memset(big, 'z', sizeof big);
	umask(022);
	chdir(argv[1]);
	try_utimensat();
	try_which_times_move();
	try_sparse();
	try_copy();
	try_rw();
	try_aio();
	try_limits();
	return 0;
}
