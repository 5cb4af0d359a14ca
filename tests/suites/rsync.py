"""rsync's own tests, with an rsync built from Debian's source package. The whole tree, programs and all, lies in the rump kernel's,
natively on the host's tmpfs."""

import re
import tempfile

import source

PACKAGE = "rsync"
NOTHING_TO_HIJACK = set()
SOURCE = source.place("rsync")
PROGRAMS = "tls getgroups getfsdev testrun trimslash t_unsafe wildtest".split()
LINE = re.compile(r"^PASS +(\S+)$", re.MULTILINE)
RUN = 'cp -a "$0/." "$1" && cd "$1" && ./runtests.sh > "$2" 2>&1; cd / && rm -rf "$1"'


def install():
    configure = ["./configure", "--quiet", *(f"--disable-{library}" for library in ("xxhash", "zstd", "lz4"))]
    source.build(PACKAGE, SOURCE, configure, ["make", "--silent", "-j2"], ["make", "--silent", *PROGRAMS])


def command(suite, directory, hijacked):
    """What runs all tests, and what reads their results then."""
    report = directory / "report"
    place = "/rump/tmp/rsync" if hijacked else tempfile.mkdtemp(prefix="rsync", dir="/dev/shm")
    return ["sh", "-c", RUN, str((SOURCE / "built").resolve()), place, str(report)], lambda: source.named(LINE, report)
