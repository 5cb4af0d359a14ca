"""Perl's own tests of files, sockets, threads and processes, with a perl built from Debian's source package."""

import os
import pathlib
import re
import subprocess
import tempfile

import network
import source

PACKAGE = "perl"
NOTHING_TO_HIJACK = set()
SOURCE = pathlib.Path(tempfile.gettempdir()) / f"rump-suites-{os.getuid()}" / "perl"
FOLDERS = """t/io cpan/HTTP-Tiny/t cpan/IO-Socket-IP/t cpan/IPC-SysV/t cpan/Socket/t cpan/Sys-Syslog/t cpan/libnet/t dist/IO/t
dist/Net-Ping/t dist/threads/t ext/IPC-Open3/t ext/POSIX/t ext/Sys-Hostname/t""".split()
LINE = re.compile(r"^\.\./(\S+) \.+ ok$", re.MULTILINE)


def install():
    if (SOURCE / "built").exists():
        return
    tree = source.fetch(PACKAGE, SOURCE)
    for words in (["sh", "Configure", "-des"], ["make", "-j2"], ["make", "-j2", "test_prep"]):
        subprocess.run(words, cwd=tree, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (SOURCE / "built").symlink_to(tree)


def command(suite, directory, hijacked):
    """What runs the test files, and what reads their results then."""
    tree, report = (SOURCE / "built").resolve(), directory / "report"
    tests = [f"../{test.relative_to(tree)}" for folder in FOLDERS for test in sorted(tree.glob(f"{folder}/*.t"))]
    words = ["sh", "-c", 'cd "$0/t" && report=$1 && shift && exec ./perl harness "$@" > "$report" 2>&1', str(tree), str(report), *tests]
    return network.alone(words, hijacked), lambda: passed(report)


def passed(report):
    return set(LINE.findall(report.read_text(errors="replace"))) if report.exists() else set()
