"""The own tests of packages of crates.io that work with sockets, files, processes and signals. A test is one of a program of cargo test."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import network
import source

NOTHING_TO_HIJACK = set()
# Version; features; test programs (none: all); tests that are left out, as they are about the host.
PACKAGES = {
    "async-io": ("2.4.0", [], [], []),
    "nix": ("0.29.0", """acct aio dir env event fanotify feature fs hostname inotify ioctl kmod mman mount mqueue net personality poll process
pthread ptrace resource sched signal socket term time ucontext uio user zerocopy""".split(), ["test", "test-aio-drop", "test-prctl"],
            ["kmod", "test_mount", "acct"]),
    "polling": ("3.7.4", [], [], []),
    "tokio": ("1.43.0", ["full"], """fs fs_copy fs_dir fs_file fs_link fs_open_options fs_remove_dir_all fs_rename io_async_fd io_driver
net_bind_resource net_lookup_host net_unix_pipe process_issue_42 process_kill_on_drop process_smoke rt_common signal_ctrl_c signal_info
signal_multi_rt signal_twice tcp_accept tcp_connect tcp_echo tcp_into_split tcp_into_std tcp_peek tcp_shutdown tcp_socket tcp_split
tcp_stream udp uds_cred uds_datagram uds_socket uds_split uds_stream""".split(), []),
}
ROOT = source.place("packages")
MANIFEST = '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[lib]\npath = "lib.rs"\n[dependencies]\n{} = "={}"\n'
# In the package's folder, where its data is. What hangs does not keep the others from running.
RUN = """skip=$1; shift
for program; do
    echo "PROGRAM $(basename "$program")"
    timeout 120 "$program" --test-threads 4 $skip < /dev/null
done"""
LINE = re.compile(r"^(?:PROGRAM (\S+)-[0-9a-f]+|test (\S+)(?: - should panic)? \.\.\. ok)$", re.MULTILINE)


def install():
    for name in PACKAGES:
        if not programs(name).exists():
            build(name)


def programs(name):
    """The file that lists a package's test programs."""
    return ROOT / name / "programs"


def build(name):
    version, features, tests, _ = PACKAGES[name]
    tree = ROOT / name / "tree"
    if not tree.exists():
        shutil.copytree(fetch(name, version), tree)
    # Lints of newer compilers are not the packages' tests.
    environment = {**os.environ, "CARGO_TARGET_DIR": str(ROOT / "target"), "CARGO_PROFILE_DEV_DEBUG": "0", "CARGO_INCREMENTAL": "0",
                   "RUSTFLAGS": "--cap-lints warn"}
    words = ["cargo", "test", "--quiet", "--no-run", "--message-format", "json", f"--features={','.join(features)}"]
    words += [word for test in tests for word in ("--test", test)]
    built = subprocess.run(words, cwd=tree, env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    made = (json.loads(line) for line in built.stdout.splitlines())
    # Examples are built along.
    found = [each["executable"] for each in made if each.get("executable") and each["profile"]["test"]]
    programs(name).write_text("\n".join(found))


def fetch(name, version):
    """Where cargo keeps a package's source."""
    with tempfile.TemporaryDirectory(prefix="rump-suite") as directory:
        pathlib.Path(directory, "Cargo.toml").write_text(MANIFEST.format(name, version))
        pathlib.Path(directory, "lib.rs").touch()
        words = ["cargo", "metadata", "--format-version", "1", "--quiet"]
        metadata = json.loads(subprocess.run(words, cwd=directory, check=True, stdout=subprocess.PIPE).stdout)
    package = next(package for package in metadata["packages"] if (package["name"], package["version"]) == (name, version))
    return pathlib.Path(package["manifest_path"]).parent


def command(name, directory, hijacked):
    """What runs a package's test programs, and what reads their results then."""
    report = directory / "report"
    skip = " ".join(f"--skip {test}" for test in PACKAGES[name][3])
    script = f'cd "$0" && exec > "$1" 2>&1 && shift\n{RUN}'
    words = ["sh", "-c", script, str(ROOT / name / "tree"), str(report), skip, *programs(name).read_text().split()]
    return network.alone(words, hijacked), lambda: passed(report)


def passed(report):
    tests, program = set(), ""
    for match in LINE.finditer(report.read_text(errors="replace") if report.exists() else ""):
        program = match[1] or program
        if match[2]:
            tests.add(f"{program} {match[2]}")
    return tests
