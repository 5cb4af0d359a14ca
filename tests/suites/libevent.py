"""libevent's own tests (test/regress), compiled from Debian's source package."""

import os
import pathlib
import re
import subprocess
import tempfile

import network
import source

PACKAGE = "libevent"
NOTHING_TO_HIJACK = set()
SOURCE = pathlib.Path(tempfile.gettempdir()) / f"rump-suites-{os.getuid()}" / "libevent"
LINE = re.compile(r"^(\S+): (?:\[forking\] )?OK$", re.MULTILINE)


def install():
    if (SOURCE / "built").exists():
        return
    tree = source.fetch(PACKAGE, SOURCE)
    for words in (["./configure", "--quiet", "--disable-samples"], ["make", "--silent", "-j2"]):
        subprocess.run(words, cwd=tree, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (SOURCE / "built").symlink_to(tree)


def command(suite, directory, hijacked):
    """What runs all tests, and what reads their results then."""
    report = directory / "report"
    words = ["sh", "-c", 'cd "$0/test" && exec ./regress > "$1" 2>&1', str(SOURCE / "built"), str(report)]
    return network.alone(words, hijacked), lambda: passed(report)


def passed(report):
    return set(LINE.findall(report.read_text(errors="replace"))) if report.exists() else set()
