"""zlib, from Debian's source package, unpacked, configured, built and checked on an image with ext4 (natively on the host's tmpfs). A test is a step, a test of the package's own, or an object file that was made."""

import pathlib
import re
import shutil
import subprocess
import tempfile

import source

NOTHING_TO_HIJACK = set()
SOURCE = source.place("build")
PACKAGES = ["zlib"]
SCRIPT = """
passed() {{ echo "PASS $*"; }}
set -e
cd {place}
tar -xf {archive}
cd */
passed unpack
passed tree $(find . -type f -print0 | sort -z | xargs -0 cksum | cksum)
./configure
passed configure
make
passed make
make check
passed check
find . -name '*.o' | sed 's/^/PASS made /'
"""


def install():
    for package in PACKAGES:
        if not archives(package):
            shutil.rmtree(SOURCE / package, ignore_errors=True)
            (SOURCE / package).mkdir(parents=True)
            source.fetch(package, SOURCE / package)


def archives(package):
    return [path for path in (SOURCE / package).glob("*.orig.tar.*") if path.suffix != ".asc"]


def server(suite, directory, artifacts):
    """What the server is started with, and what prepares it then."""
    image = pathlib.Path(directory) / "disk"
    with open(image, "wb") as file:
        file.truncate(256 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    mount = [artifacts / "rump", "mount", "--mkdir", "/dev/dk", "/build"]
    return ["-d", f"key=/dev/dk,hostpath={image},size=host"], [mount, ["mkdir", "/rump/build/work"]]


def command(package, directory, hijacked):
    """What runs the steps, and what reads their results then."""
    place = "/rump/build/work" if hijacked else tempfile.mkdtemp(prefix="build", dir="/dev/shm")
    script = SCRIPT.format(place=place, archive=archives(package)[0])
    log = pathlib.Path(directory) / "log"

    def passed():
        if not hijacked:
            shutil.rmtree(place)
        return set(re.findall(r"^PASS:? (.*)$", log.read_text(errors="replace"), re.MULTILINE))

    return ["sh", "-c", script], passed
