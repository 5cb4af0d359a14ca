"""Debian's source packages."""

import pathlib
import subprocess

CONFIGURATION = """Dir::Etc::sourcelist "{0}/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "{0}/lists";
APT::Sandbox::User "root";
"""
SOURCES = "deb-src http://deb.debian.org/debian bookworm main\n"


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


def apt(configuration, words, directory):
    environment = {"APT_CONFIG": str(configuration), "PATH": "/usr/bin:/bin"}
    subprocess.run(["apt-get", *words], check=True, cwd=directory, env=environment, stdout=subprocess.DEVNULL)
