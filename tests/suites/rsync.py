"""rsync's own tests, with an rsync built from Debian's source package. The whole tree, programs and all, lies in the rump kernel's,
natively on the host's tmpfs."""

import os
import pathlib
import re
import subprocess
import tempfile

import source

PACKAGE = "rsync"
NOTHING_TO_HIJACK = set()
SOURCE = pathlib.Path(tempfile.gettempdir()) / f"rump-suites-{os.getuid()}" / "rsync"
PROGRAMS = "tls getgroups getfsdev testrun trimslash t_unsafe wildtest".split()
LINE = re.compile(r"^PASS +(\S+)$", re.MULTILINE)
RUN = 'cp -a "$0/." "$1" && cd "$1" && ./runtests.sh > "$2" 2>&1; cd / && rm -rf "$1"'


def install():
    if (SOURCE / "built").exists():
        return
    tree = source.fetch(PACKAGE, SOURCE)
    without = [f"--disable-{library}" for library in ("xxhash", "zstd", "lz4")]
    for words in (["./configure", "--quiet", *without], ["make", "--silent", "-j2"], ["make", "--silent", *PROGRAMS]):
        subprocess.run(words, cwd=tree, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (SOURCE / "built").symlink_to(tree)


def command(suite, directory, hijacked):
    """What runs all tests, and what reads their results then."""
    report = directory / "report"
    place = "/rump/tmp/rsync" if hijacked else tempfile.mkdtemp(prefix="rsync", dir="/dev/shm")
    return ["sh", "-c", RUN, str((SOURCE / "built").resolve()), place, str(report)], lambda: passed(report)


def passed(report):
    return set(LINE.findall(report.read_text(errors="replace"))) if report.exists() else set()
