"""node's own tests (test/parallel of Debian's source package nodejs), run by the node that is installed."""

import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import tempfile

import network
import source

PACKAGE = "nodejs"
NOTHING_TO_HIJACK = set()
SOURCE = source.place("nodejs")
FLAGS = re.compile(r"^// Flags: (.*)$", re.MULTILINE)
TEST_LIMIT_S = 40
AT_ONCE = 3


def install():
    source.build(PACKAGE, SOURCE)


def command(suite, directory, hijacked):
    """What runs the tests of a subject (net, dgram, …), and what reads their results then."""
    report = directory / "report"
    # Tests of files have theirs in the rump kernel's tree.
    place = "/rump/tmp" if hijacked and suite == "fs" else str(directory)
    words = [sys.executable, __file__, suite, place, str(report)]
    return network.alone(words, hijacked), lambda: set(report.read_text().split()) if report.exists() else set()


def main(suite, place, report):
    tree = SOURCE / "built"
    tests = sorted(tree.glob(f"test/parallel/test-{suite}-*.js"))
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool, open(report, "w") as file:
        for test, passed in zip(tests, pool.map(lambda test: passes(test, place), tests)):
            if passed:
                print(test.stem.removeprefix("test-"), file=file)


def passes(test, place):
    """Whether a test ends with 0. It and what it has started end with it."""
    flags = FLAGS.search(test.read_text(errors="replace"))
    with tempfile.TemporaryDirectory(dir=place) as own:
        words = ["node", *(flags[1].split() if flags else []), str(test)]
        program = subprocess.Popen(words, env={**os.environ, "NODE_TEST_DIR": own}, cwd=SOURCE / "built", start_new_session=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return program.wait(TEST_LIMIT_S) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            try:
                os.killpg(program.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            program.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
