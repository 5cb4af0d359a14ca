"""Debian's source packages."""

import os
import pathlib
import shutil
import subprocess
import tempfile

CONFIGURATION = """Dir::Etc::sourcelist "{0}/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "{0}/lists";
APT::Sandbox::User "root";
"""
SOURCES = "deb-src http://deb.debian.org/debian bookworm main\n"


def place(suite):
    """Where what a suite needs is kept between runs."""
    return pathlib.Path(tempfile.gettempdir()) / f"rump-suites-{os.getuid()}" / suite


def build(package, directory, *commands, prepare=lambda tree: None, environment=None):
    """Fetches and builds a source package, unless that was done: `built` in the directory is its tree then."""
    built = directory / "built"
    if built.exists():
        return
    shutil.rmtree(directory, ignore_errors=True)
    tree = fetch(package, directory)
    prepare(tree)
    for words in commands:
        subprocess.run(words, cwd=tree, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    built.symlink_to(tree)


def named(line, report):
    """What a pattern finds in a report, if there is one."""
    return set(line.findall(report.read_text(errors="replace"))) if report.exists() else set()


def fetch(package, directory):
    """Downloads and unpacks a source package into a directory, with a list of sources of its own; answers its tree."""
    (directory / "lists/partial").mkdir(parents=True, exist_ok=True)
    (directory / "sources.list").write_text(SOURCES)
    configuration = directory / "apt.conf"
    configuration.write_text(CONFIGURATION.format(directory))
    for words in (["update", "-q"], ["source", "--download-only", "-q", package]):
        apt(configuration, words, directory)
    archive = next(path for path in directory.glob("*.orig.tar.*") if path.suffix != ".asc")
    subprocess.run(["tar", "-xf", archive], check=True, cwd=directory)
    return next(path for path in directory.iterdir() if path.is_dir() and path.name != "lists")


def unpack(packages, directory):
    """Downloads binary packages and unpacks them into a directory that is there."""
    subprocess.run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", *packages], check=True, cwd=directory)
    for package in directory.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, directory], check=True)
        package.unlink()


def apt(configuration, words, directory):
    environment = {"APT_CONFIG": str(configuration), "PATH": "/usr/bin:/bin"}
    subprocess.run(["apt-get", *words], check=True, cwd=directory, env=environment, stdout=subprocess.DEVNULL)
