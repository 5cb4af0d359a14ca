"""pjdfstest, a file system's conformance to POSIX, from crates.io. Natively it runs on the host's tmpfs."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import crates

VERSION = "0.2.2"
NOTHING_TO_HIJACK = set()
# Where the files are, hijacked: the suite makes absolute symbolic links, which lead within one kernel, so both must call it by the
# same name.
PLACE = "/tmp/pjdfstest"
HIJACK = f"blanket={PLACE},socket=all"
PREPARATIONS = [["mkdir", PLACE]]
CONFIGURATION = """
[features]
posix_fallocate = {}
rename_ctime = {}
stat_st_birthtime = {}
utime_now = {}
utimensat = {}
[settings]
naptime = 0.02
[dummy_auth]
entries = [["nobody", "nogroup"], ["games", "games"]]
"""


def install():
    crates.install("pjdfstest", VERSION)


def command(_, directory, hijacked):
    """What runs the tests, and what reads the results then."""
    configuration = pathlib.Path(directory) / "pjdfstest.toml"
    configuration.write_text(CONFIGURATION)
    report = pathlib.Path(directory) / "log"
    place = PLACE if hijacked else tempfile.mkdtemp(prefix="pjdfstest", dir="/dev/shm")
    if not hijacked:
        os.chmod(place, 0o777)
    arguments = [shutil.copy(crates.program("pjdfstest"), directory), "-c", configuration, "-p", place]
    return arguments, lambda: passed(report, None if hijacked else place)


def passed(report, place):
    if place:
        subprocess.run(["rm", "-rf", place], check=True)
    return set(re.findall(r"^(\S+) +ok$", report.read_text(errors="replace"), re.MULTILINE))
