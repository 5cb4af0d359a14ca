"""socat's own tests (test.sh), compiled from Debian's source package. They mostly wait, so they run in parts side by side."""

import re

import network
import source

PACKAGE = "socat"
NOTHING_TO_HIJACK = set()
SOURCE = source.place("socat")
PARTS = 8
# Which tests a run of test.sh is for: the option -n names one, the variable takes any condition.
ALL, PART = "\nNUMCOND=true\n", f'\nNUMCOND="test \\$((N % {PARTS})) -eq $PART"\n'
# Each in a directory of its own, for the certificates that they make. What they leave running ends with its part.
RUN = """for part in $(seq 0 $(($2 - 1))); do
    mkdir "$1/$part" && ln -s "$0"/* "$1/$part" && cd "$1/$part" || exit
    TMPDIR=$1 PART=$part setsid timeout 600 ./parts.sh -t 0.5 > ../log.$part 2>&1 &
done
wait"""
LINE = re.compile(r"^test +\d+ (\w+): .*\.\.\. OK$", re.MULTILINE)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def install():
    # Each part would look for primes, which takes minutes.
    primes = ["openssl", "dhparam", "-dsaparam", "-out", "testcert.dh", "2048"]
    source.build(PACKAGE, SOURCE, ["./configure", "--quiet"], ["make", "--silent", "-j2"], primes, prepare=part)


def part(tree):
    """Makes of the script of all tests one of a part of them."""
    parts = tree / "parts.sh"
    parts.write_text((tree / "test.sh").read_text().replace(ALL, PART))
    parts.chmod(0o755)


def command(suite, directory, hijacked):
    """What runs all tests, and what reads their results then."""
    words = ["sh", "-c", RUN, str((SOURCE / "built").resolve()), str(directory), str(PARTS)]
    return network.alone(words, hijacked), lambda: passed(directory)


def passed(directory):
    logs = (log.read_text(errors="replace") for log in directory.glob("log.*"))
    return {name for log in logs for name in LINE.findall(COLOUR.sub("", log))}
