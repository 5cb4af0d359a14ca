"""GLib's and GIO's own tests of sockets, D-Bus, processes, files and streams, as Debian installs them (package libglib2.0-tests)."""

import pathlib
import re
import tempfile

import source

NOTHING_TO_HIJACK = set()
HIJACK = "path=/rump,socket=all"
BUILT = source.place("glib")
PROGRAMS = """async-close-output-stream async-splice-output-stream buffered-input-stream buffered-output-stream converter-stream credentials
data-input-stream data-output-stream file fileutils g-file g-file-info gdbus-addresses gdbus-auth gdbus-close-pending gdbus-connection
gdbus-connection-loss gdbus-exit-on-close gdbus-export gdbus-names gdbus-non-socket gdbus-overflow gdbus-peer gdbus-proxy
gdbus-server-auth gdbus-subscribe gsocketclient-slow gsubprocess inet-address io-channel-basic io-stream live-g-file network-address
pollable proxy-test readwrite resolver-parsing sleepy-stream socket socket-address socket-listener socket-service spawn-multithreaded
spawn-path-search spawn-singlethread srvtarget stream-rw_all task testfilemonitor unix unix-fd unix-streams vfs""".split()
# Each in a directory of its own, with its AF_UNIX sockets there; they print lines of TAP.
RUN = """here=$1; report=$2; bin=$0; shift 2
for program; do
    mkdir -p "$here" && cd "$here" && TMPDIR=$here timeout 60 "$bin/$program" < /dev/null 2> /dev/null | sed "s,^,$program ," >> "$report"
    cd / && rm -rf "$here"
done"""


def install():
    if BUILT.exists():
        return
    with tempfile.TemporaryDirectory(prefix="rump-suite") as directory:
        out = pathlib.Path(directory) / "out"
        out.mkdir()
        source.unpack(["libglib2.0-0", "libglib2.0-tests"], out)
        BUILT.parent.mkdir(parents=True, exist_ok=True)
        out.rename(BUILT)


def command(suite, directory, hijacked):
    """What runs all programs, natively in a directory of the host's and hijacked in one of the rump kernel's."""
    report = directory / "report"
    here = "/rump/glib" if hijacked else str(directory / "here")
    libraries = next(BUILT.glob("usr/lib/*-linux-gnu"))
    programs = BUILT / "usr/libexec/installed-tests/glib"
    return ["env", f"LD_LIBRARY_PATH={libraries}", "sh", "-c", RUN, str(programs), here, str(report), *PROGRAMS], lambda: passed(report)


def passed(report):
    lines = report.read_text().splitlines() if report.exists() else []
    found = (re.fullmatch(r"(\S+) ok \d+ (\S+)", line) for line in lines)
    return {f"{match[1]} {match[2]}" for match in found if match}
