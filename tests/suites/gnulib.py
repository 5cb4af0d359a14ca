"""gnulib's tests of sockets, poll, select, descriptors, files and the *at functions, from Debian's package gnulib.

On glibc they need nothing that gnulib would put in its place, so each is compiled on its own against the C library, with a
config.h of a few lines.
"""

import pathlib
import subprocess
import tempfile

import source

NOTHING_TO_HIJACK = set()
BUILT = source.place("gnulib")
# What of the library the tests themselves use.
HELPERS = """areadlink-with-size basename-lgpl dirname-lgpl exitfail filenamecat filenamecat-lgpl mgetgroups sockets stripslash
unlinkdir xalloc-die""".split()
TESTS = """accept4 access bind canonicalize-lgpl chdir chmod chown close connect creat dup dup2 dup3 faccessat fchmod fchmodat
fchown fchownat fclose fcntl fdatasync fdopen fdopendir fflush flock fopen-gnu fopen freopen fseek fseeko fstat fstatat fsync ftell3
ftello3 ftruncate fwrite getcwd glob ioctl isatty lchmod lchown link listen lseek lstat mkdir mkdirat mkfifoat open openat openpty
perror pipe pipe2 poll popen posix_spawn_file_actions_addclose posix_spawn_file_actions_adddup2
posix_spawn_file_actions_addopen pread pselect ptsname pwrite read readlink readlinkat recv recvfrom remove rename renameat rmdir
select select-fd send sendto setsockopt shutdown sigaction sigpipe sigprocmask sleep socket sockets stat symlink symlinkat
sys_socket truncate ttyname_r unlink unlinkat usleep utime-h write""".split()
CONFIG = """#define _GNU_SOURCE 1
#include <stdbool.h>
#include <fcntl.h>
#define O_BINARY 0
#define O_TEXT 0
#define PROMOTED_MODE_T mode_t
#define HAVE_DECL_ALARM 1
#define HAVE_SETENV 1
#define _GL_ATTRIBUTE_CONST
#define _GL_ATTRIBUTE_PURE
#define _GL_ATTRIBUTE_MALLOC
#define _GL_ATTRIBUTE_DEALLOC(f, i)
#define _GL_ATTRIBUTE_DEALLOC_FREE
#define _GL_ATTRIBUTE_RETURNS_NONNULL
#define _GL_ATTRIBUTE_NODISCARD
#define _GL_ATTRIBUTE_NOTHROW
#define _GL_ATTRIBUTE_MAYBE_UNUSED
#define _GL_ATTRIBUTE_FORMAT(x)
#define _GL_ARG_NONNULL(x)
#define _GL_UNUSED
#define _GL_CMP(a, b) (((a) > (b)) - ((a) < (b)))
#define _GL_INLINE_HEADER_BEGIN
#define _GL_INLINE_HEADER_END
#define _GL_INLINE static inline
#define _GL_EXTERN_INLINE inline
"""
CHECKED = """#define ckd_add(r, a, b) __builtin_add_overflow(a, b, r)
#define ckd_sub(r, a, b) __builtin_sub_overflow(a, b, r)
#define ckd_mul(r, a, b) __builtin_mul_overflow(a, b, r)
"""
# Each in a directory of its own, one line of the report each: gnulib's tests end with 77 where there is nothing to test.
RUN = """for test in "$0"/test-*; do
    mkdir -p "$1" && cd "$1" && timeout 30 "$test" < /dev/null > /dev/null 2>&1
    echo "${test##*/test-} $?" >> "$2"
    cd / && rm -rf "$1"
done"""


def install():
    if BUILT.exists():
        return
    with tempfile.TemporaryDirectory(prefix="rump-suite") as directory:
        source.unpack(["gnulib"], pathlib.Path(directory))
        build(pathlib.Path(directory) / "usr/share/gnulib", pathlib.Path(directory))


def build(gnulib, directory):
    (directory / "config.h").write_text(CONFIG)
    (directory / "stdckdint.h").write_text(CHECKED)
    out = directory / "out"
    out.mkdir()
    compile_ = ["cc", "-w", f"-I{directory}", f"-I{gnulib}/tests", f"-I{gnulib}/lib", "-include", "config.h"]
    objects = []
    for helper in HELPERS:
        objects.append(directory / f"{helper}.o")
        subprocess.run([*compile_, "-c", "-o", objects[-1], gnulib / f"lib/{helper}.c"], check=True)
    subprocess.run(["ar", "qc", directory / "helpers.a", *objects], check=True)
    for test in TESTS:
        code = gnulib / f"tests/test-{test}.c"
        # One that needs more of gnulib than there is here is left out.
        words = [*compile_, "-o", out / f"test-{test}", code, directory / "helpers.a", "-lpthread", "-lutil"]
        subprocess.run(words, stderr=subprocess.DEVNULL)
    BUILT.parent.mkdir(parents=True, exist_ok=True)
    out.rename(BUILT)


def command(suite, directory, hijacked):
    """What runs all tests, natively in a directory of the host's and hijacked in one of the rump kernel's."""
    report = directory / "report"
    where = 'if [ -n "${RUMP_SERVER-}" ]; then set -- /rump/gnulib "$2"; fi; '
    return ["sh", "-c", where + RUN, str(BUILT), str(directory / "here"), str(report)], lambda: passed(report)


def passed(report):
    lines = report.read_text().splitlines() if report.exists() else []
    return {line.split()[0] for line in lines if line.endswith(" 0")}
