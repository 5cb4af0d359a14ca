"""Perl's own tests of files, sockets, threads and processes, with a perl built from Debian's source package."""

import re

import network
import source

PACKAGE = "perl"
NOTHING_TO_HIJACK = set()
SOURCE = source.place("perl")
FOLDERS = """t/io cpan/HTTP-Tiny/t cpan/IO-Socket-IP/t cpan/IPC-SysV/t cpan/Socket/t cpan/Sys-Syslog/t cpan/libnet/t dist/IO/t
dist/Net-Ping/t dist/threads/t ext/IPC-Open3/t ext/POSIX/t ext/Sys-Hostname/t""".split()
LINE = re.compile(r"^\.\./(\S+) \.+ ok$", re.MULTILINE)


def install():
    source.build(PACKAGE, SOURCE, ["sh", "Configure", "-des"], ["make", "-j2"], ["make", "-j2", "test_prep"])


def command(suite, directory, hijacked):
    """What runs the test files, and what reads their results then."""
    tree, report = (SOURCE / "built").resolve(), directory / "report"
    tests = [f"../{test.relative_to(tree)}" for folder in FOLDERS for test in sorted(tree.glob(f"{folder}/*.t"))]
    words = ["sh", "-c", 'cd "$0/t" && report=$1 && shift && exec ./perl harness "$@" > "$report" 2>&1', str(tree), str(report), *tests]
    return network.alone(words, hijacked), lambda: source.named(LINE, report)
