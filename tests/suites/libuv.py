"""libuv's own test programs, compiled from Debian's source package libuv1."""

import re
import subprocess

import source

PACKAGE = "libuv1"
# What CMakeLists.txt compiles on Linux.
LINUX = """async core dl epoll fs getaddrinfo getnameinfo linux-core linux-inotify linux-syscalls loop loop-watcher pipe poll
process procfs-exepath proctitle random-devurandom random-getrandom random-sysctl-linux signal stream tcp thread tty
udp""".split()
NOTHING_TO_HIJACK = set()
# Each test has a process of its own, which libuv's runner kills after 5 s (a few after 20 s).
SOURCE = source.place("libuv")
PROGRAM = SOURCE / "uv_run_tests"


def install():
    if PROGRAM.exists():
        return
    tree = source.fetch(PACKAGE, SOURCE)
    files = [*tree.glob("src/*.c"), *(tree / f"src/unix/{name}.c" for name in LINUX), *test_files(tree)]
    defines = ["-D_GNU_SOURCE", "-D_POSIX_C_SOURCE=200112", "-D_FILE_OFFSET_BITS=64", "-D_LARGEFILE_SOURCE"]
    # A few tests include the source that they test, which CMake hides in a library.
    compile_ = ["cc", "-w", "-Wl,-z,muldefs", *defines, f"-I{tree}/include", f"-I{tree}/src", "-o", str(PROGRAM)]
    subprocess.run([*compile_, *map(str, files), "-lpthread", "-ldl", "-lrt"], check=True)


def test_files(tree):
    helpers = ["run-tests", "runner", "runner-unix", "echo-server", "blackhole-server"]
    return [*(tree / f"test/{name}.c" for name in helpers), *tree.glob("test/test-*.c")]


def command(suite, directory, hijacked):
    """What runs all tests, and what reads their results then (Test Anything Protocol)."""
    report = directory / "report"
    script = 'cd "$0" && UV_RUN_AS_ROOT=1 exec "$1" > "$2"'
    tree = next(SOURCE.glob("libuv1-*"))
    return ["sh", "-c", script, str(tree), str(PROGRAM), str(report)], lambda: passed(report)


def passed(report):
    lines = report.read_text(errors="replace").splitlines() if report.exists() else []
    found = (re.fullmatch(r"ok \d+ - (\S+)", line) for line in lines)
    return {match[1] for match in found if match}
