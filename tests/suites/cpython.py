"""CPython 3.11's own test suite, from Debian's libpython3.11-testsuite."""

import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree

PYTHON = "/usr/bin/python3.11"
PACKAGES = ["python3.11", "libpython3.11-testsuite"]
# Where one test hangs, the others are to be heard of.
TEST_LIMIT_S = 900
# The rump kernel has no AF_VSOCK: EAFNOSUPPORT, as rumphijack(3) says. Natively they need a port that no other run uses.
IGNORED = ["*VSOCK*"]
# These are about files: theirs lie in the rump kernel's tree.
ABOUT_FILES = {"test_bufio", "test_dbm_dumb", "test_file", "test_fileinput", "test_fileio", "test_filecmp", "test_glob", "test_io", "test_largefile",
               "test_mailbox", "test_mmap", "test_pathlib", "test_shelve", "test_shutil", "test_sqlite3", "test_stat", "test_tarfile", "test_tempfile",
               "test_zipfile", "test_fcntl", "test_glob", "test_genericpath", "test_posixpath", "test_univnewlines"}
RUMP_TMP = "/rump/tmp"
# These use pipes and files of the host alone.
NOTHING_TO_HIJACK = {"cpython/test_select", "cpython/test_poll", "cpython/test_subprocess"}


def install():
    if os.path.exists("/usr/lib/python3.11/test/test_socket.py"):
        return
    if os.geteuid() != 0:
        sys.exit(f"as root: apt-get install -y {' '.join(PACKAGES)}")
    subprocess.run(["apt-get", "install", "-y", "-q", *PACKAGES], check=True, stdout=subprocess.DEVNULL)


def server(suite, directory, artifacts):
    """What the server of a module is to have, and what is to be done first. uuid.getnode(3) asks for an Ethernet interface's address."""
    link = f"name=eth0,type=bus,path={directory}/net,addr=10.0.0.1/24"
    return (["-n", link] if suite == "cpython/test_uuid" else []), []


def command(module, directory, hijacked):
    """What runs a module, and what reads its results then."""
    report = pathlib.Path(directory) / "report.xml"
    arguments = [PYTHON, "-m", "test", f"--timeout={TEST_LIMIT_S}", "--junit-xml", str(report), "-u", "network"]
    arguments += [word for pattern in IGNORED for word in ("--ignore", pattern)]
    if hijacked and module in ABOUT_FILES:
        arguments = ["env", f"TMPDIR={RUMP_TMP}", *arguments, "--tempdir", RUMP_TMP]
    arguments += [module]
    return arguments, lambda: passed(report)


def passed(report):
    """The names of the tests that passed, every time if they ran several times."""
    if not report.exists():
        return set()
    good, bad = set(), set()
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        name = case.get("name")
        fine = case.get("result") == "completed" and len(case) == 0
        (good if fine else bad).add(name)
    return good - bad
