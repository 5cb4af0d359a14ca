"""coreutils' own tests of the programs that work on files, from Debian's source package, with their work directories in the rump
kernel's tree, natively on the host's tmpfs. The programs are the ones built from that source."""

import os
import shutil
import tempfile

import source

PACKAGE = "coreutils"
NOTHING_TO_HIJACK = set()
# df(1) and mount(8) are among what the tests use.
HIJACK = "path=/rump,socket=all:nolocal,vfs=all"
SOURCE = source.place("coreutils")
BUILT = SOURCE / "built"
FOLDERS = "cp mv rm ln mkdir rmdir ls touch dd chmod chown chgrp install readlink".split()
# The work directories of tests are made where the build is; they are to lie elsewhere.
ORIGINAL, CHANGED = 'mktempd_ "$initial_cwd_"', 'mktempd_ "${work_directory_-$initial_cwd_}"'


def install():
    commands = [["./configure", "--quiet", "--disable-nls", "--without-selinux"], ["make", "--silent", "-j2"],
                ["make", "--silent", "check", "TESTS=", "SUBDIRS=."]]
    environment = {**os.environ, "FORCE_UNSAFE_CONFIGURE": "1"}
    source.build(PACKAGE, SOURCE, *commands, prepare=move_work, environment=environment)


def move_work(tree):
    init = tree / "tests/init.sh"
    init.write_text(init.read_text().replace(ORIGINAL, CHANGED))


def command(folder, directory, hijacked):
    """What runs the tests of a folder (`files`: all that work on files), and what reads their results then."""
    folders = FOLDERS if folder == "files" else [folder]
    tests = [str(test.relative_to(BUILT)) for name in folders for test in sorted(BUILT.glob(f"tests/{name}/*.sh"))]
    for test in tests:
        result(test).unlink(missing_ok=True)
    place = "/rump/tmp" if hijacked else tempfile.mkdtemp(prefix="coreutils", dir="/dev/shm")
    make = ["make", "--silent", "-k", "-C", str(BUILT), "check-TESTS", f"TESTS={' '.join(tests)}", "SUBDIRS=.", "VERBOSE=no"]
    return ["env", f"work_directory_={place}", *make], lambda: passed(tests, None if hijacked else place)


def result(test):
    return (BUILT / test).with_suffix(".trs")


def passed(tests, place):
    if place:
        shutil.rmtree(place)
    found = {test for test in tests if result(test).exists() and ":test-result: PASS" in result(test).read_text()}
    return {test.removeprefix("tests/").removesuffix(".sh") for test in found}
