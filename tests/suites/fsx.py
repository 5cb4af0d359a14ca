"""fsx, the file system exerciser, from crates.io: random reads, writes, mappings, truncations and holes of one file, checked byte by
byte. Natively it runs on the host's tmpfs. A test is a seed."""

import pathlib
import re
import shutil

import crates

VERSION = "0.3.2"
NOTHING_TO_HIJACK = set()
SEEDS = range(1, 9)
OPERATIONS = 3000
# With mappings and without: where a file was mapped, its bytes are kept otherwise from then on.
MAPPED = """
[weights]
close_open = 1
invalidate = 1
mapread = 5
mapwrite = 5
"""
WEIGHTS = """
read = 10
write = 10
truncate = 5
fsync = 1
fdatasync = 1
posix_fallocate = 5
punch_hole = 5
sendfile = 5
posix_fadvise = 1
copy_file_range = 5
"""
UNMAPPED = """
[weights]
close_open = 1
mapread = 0
mapwrite = 0
"""
SCRIPT = """
for seed in {seeds}; do
    for kind in mapped unmapped; do
        {program} -f {directory}/$kind.toml -N {operations} -S $seed -P {directory} {place}/fsx.$seed && echo "PASS $kind $seed"
    done
done
"""


def install():
    crates.install("fsx", VERSION)


def command(_, directory, hijacked):
    """What runs the tests, and what reads the results then."""
    directory = pathlib.Path(directory)
    (directory / "mapped.toml").write_text(MAPPED + WEIGHTS)
    (directory / "unmapped.toml").write_text(UNMAPPED + WEIGHTS)
    program = shutil.copy(crates.program("fsx"), directory)
    place = "/rump/tmp" if hijacked else "/dev/shm"
    seeds = " ".join(str(seed) for seed in SEEDS)
    script = SCRIPT.format(seeds=seeds, program=program, directory=directory, operations=OPERATIONS, place=place)
    if not hijacked:
        script += f"rm -f {place}/fsx.*\n"
    log = directory / "log"
    return ["sh", "-c", script], lambda: set(re.findall(r"^PASS (.*)$", log.read_text(errors="replace"), re.MULTILINE))
