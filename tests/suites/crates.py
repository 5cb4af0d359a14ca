"""Programs from crates.io, in target/crates."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent / "target" / "crates"


def install(name, version):
    """Builds a program unless it is there in this version."""
    marker = ROOT / f"{name}-{version}"
    if marker.exists():
        return
    subprocess.run(["cargo", "install", "--quiet", "--locked", "--root", ROOT, "--version", version, name], check=True)
    marker.touch()


def program(name):
    return str(ROOT / "bin" / name)
