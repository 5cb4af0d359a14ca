"""Go's own tests of its packages, as Debian's golang-go has them: `go test -c`, with the source that is packaged."""

import os
import pathlib
import re
import subprocess
import sys

import source

PACKAGES = ["golang-go", "gcc"]
# Name of the suite: the package.
NAMES = {"net": "net", "http": "net/http", "os": "os"}
# These use files and pipes of the host alone.
NOTHING_TO_HIJACK = {"golang/os"}
BUILT = source.place("golang")


def install():
    if not pathlib.Path("/usr/bin/go").exists():
        if os.geteuid() != 0:
            sys.exit(f"as root: apt-get install -y {' '.join(PACKAGES)}")
        subprocess.run(["apt-get", "install", "-y", "-q", *PACKAGES], check=True, stdout=subprocess.DEVNULL)
    BUILT.mkdir(parents=True, exist_ok=True)
    for name, package in NAMES.items():
        if not program(name).exists():
            environment = {**os.environ, "GOCACHE": str(BUILT / "cache"), "GOFLAGS": "-mod=mod", "CGO_ENABLED": "1"}
            subprocess.run(["go", "test", "-c", "-o", program(name), package], check=True, cwd=folder(name), env=environment)


def program(name):
    return BUILT / f"{name}.test"


def folder(name):
    root = subprocess.run(["go", "env", "GOROOT"], check=True, capture_output=True, text=True).stdout.strip()
    return pathlib.Path(root) / "src" / NAMES[name]


def command(name, directory, hijacked):
    """What runs a package's tests, and what reads their results then."""
    report = directory / "report"
    # Their data is beside their source.
    script = 'cd "$0" && exec "$1" -test.v -test.short -test.timeout 15m > "$2" 2>&1'
    return ["sh", "-c", script, str(folder(name)), str(program(name)), str(report)], lambda: passed(report)


def passed(report):
    lines = report.read_text(errors="replace").splitlines() if report.exists() else []
    # A test writes without a line's end sometimes; those inside another count by their names too.
    found = (re.search(r"--- (PASS|FAIL|SKIP): (\S+)", line) for line in lines)
    results = {}
    for match in filter(None, found):
        results.setdefault(match[2], set()).add(match[1])
    return {name for name, kinds in results.items() if kinds == {"PASS"}}
