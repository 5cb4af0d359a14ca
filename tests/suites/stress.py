"""dbench, and stress-ng's stressors of files with --verify, from Debian's packages: on tmpfs, and on an image with ext4 (natively both on
the host's tmpfs). A test is a stressor."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

NOTHING_TO_HIJACK = set()
# Those that work on files and do not need root, a device or another file system's own calls.
STRESSORS = """access chdir chmod chown copy-file dentry dir dirdeep dirmany dup fallocate fcntl file-ioctl filename flock fpunch fsize fstat
getdent handle hdd io iomix link locka lockf lockofd mknod open readahead rename revio seek sendfile symlink sync-file touch utime
verity xattr""".split()
SECONDS = 2
SCRIPT = """
cd {place} || exit
for stressor in {stressors}; do
    timeout -k 5 60 stress-ng --quiet --verify --temp-path {place} --$stressor 2 --iomix-bytes 32m --hdd-bytes 32m --timeout {seconds}s && echo "PASS $stressor"
done
timeout -k 5 60 dbench -c /usr/share/dbench/client.txt -D {place} -t {seconds} 2 && echo "PASS dbench"
"""


def install():
    if shutil.which("dbench") is None or shutil.which("stress-ng") is None:
        subprocess.run(["apt-get", "install", "-y", "-qq", "dbench", "stress-ng"], check=True)


def server(suite, directory, artifacts):
    """What the server is started with, and what prepares it then."""
    if suite != "stress/ext4":
        return [], [["sh", "-c", "mkdir -m 777 /rump/stress"]]
    image = pathlib.Path(directory) / "disk"
    with open(image, "wb") as file:
        file.truncate(256 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    mount = [artifacts / "rump", "mount", "--mkdir", "/dev/dk", "/stress"]
    return ["-d", f"key=/dev/dk,hostpath={image},size=host"], [mount]


def command(_, directory, hijacked):
    """What runs the tests, and what reads the results then."""
    place = "/rump/stress" if hijacked else tempfile.mkdtemp(prefix="stress", dir="/dev/shm")
    script = SCRIPT.format(place=place, stressors=" ".join(STRESSORS), seconds=SECONDS)
    log = pathlib.Path(directory) / "log"

    def passed():
        if not hijacked:
            shutil.rmtree(place)
        return set(re.findall(r"^PASS (.*)$", log.read_text(errors="replace"), re.MULTILINE))

    return ["sh", "-c", script], passed
