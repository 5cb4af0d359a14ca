"""busybox's own tests of its programs (testsuite/), with a busybox built from Debian's source package. The tests, their work directories and
the program itself lie in the rump kernel's tree, natively on the host's tmpfs."""

import os
import re
import shutil
import tempfile

import source

PACKAGE = "busybox"
NOTHING_TO_HIJACK = set()
# mount, umount and df are among the programs.
HIJACK = "path=/rump,socket=all:nolocal,vfs=all"
SOURCE = source.place("busybox")
# runtest looks for the program one level up, and compiles an echo of its own.
RUN = """mkdir -p "$1/scripts" && cd "$0" && cp busybox .config "$1" && cp scripts/echo.c "$1/scripts" && cp -a testsuite "$1" &&
cd "$1/testsuite" && ./runtest > "$2" 2>&1"""
# A name may be another test's too: it counts if all of them pass.
LINE = re.compile(r"^(PASS|FAIL): (.+?)\s*$", re.MULTILINE)


def install():
    source.build(PACKAGE, SOURCE, ["make", "defconfig"], ["make", "--silent", "-j2"])


def command(_, directory, hijacked):
    """What runs the tests, and what reads their results then."""
    report = directory / "report"
    place = "/rump/tmp/busybox" if hijacked else tempfile.mkdtemp(prefix="busybox", dir="/dev/shm")
    alone = ["unshare", "--mount"] if not hijacked and os.geteuid() == 0 else []
    return [*alone, "sh", "-c", RUN, str(SOURCE / "built"), place, str(report)], lambda: passed(report, None if hijacked else place)


def passed(report, place):
    if place:
        shutil.rmtree(place)
    results = LINE.findall(report.read_text(errors="replace")) if report.exists() else []
    return {name for _, name in results} - {name for result, name in results if result == "FAIL"}
