"""libevent's own tests (test/regress), compiled from Debian's source package."""

import re

import network
import source

PACKAGE = "libevent"
NOTHING_TO_HIJACK = set()
SOURCE = source.place("libevent")
LINE = re.compile(r"^(\S+): (?:\[forking\] )?OK$", re.MULTILINE)


def install():
    source.build(PACKAGE, SOURCE, ["./configure", "--quiet", "--disable-samples"], ["make", "--silent", "-j2"])


def command(suite, directory, hijacked):
    """What runs all tests, and what reads their results then."""
    report = directory / "report"
    words = ["sh", "-c", 'cd "$0/test" && exec ./regress > "$1" 2>&1', str(SOURCE / "built"), str(report)]
    return network.alone(words, hijacked), lambda: source.named(LINE, report)
