"""Programs of other Debian releases, unpacked beside the system instead of installed into it.

The mirror is the machine's own (``apt-get indextargets``); only the release differs. apt checks the
release's signature with the archive keyring before a package is believed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

__all__ = ["Unavailable", "cache_folder", "source", "unpacked"]

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_TOOLS = ("apt-get", "dpkg", "dpkg-deb")
_LIMIT = 300.0  # seconds for one step, a slow mirror included


class Unavailable(Exception):
    """The program cannot be had here; the message says why."""


def cache_folder(name: str) -> Path:
    """Return the folder for downloaded programs, outside the repository."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "pinnace" / name


def unpacked(package: str, into: Path, release: str | None = None) -> Path:
    """Return ``into`` holding the package's files; download when it does not exist.

    ``release`` is a code name (default: the machine's own). Two at a time do not disturb each
    other: the folder appears complete, by a rename. Raises Unavailable.
    """
    if into.is_dir():
        return into
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{into.name}-", dir=into.parent) as folder:
        work = Path(folder)
        work.chmod(0o755)  # apt's unprivileged user must be able to reach its files
        archive = _downloaded(package, work, release)
        files = work / "files"
        _run("dpkg-deb", "-x", str(archive), str(files))
        try:
            files.rename(into)
        except OSError:  # another process was first
            if not into.is_dir():
                raise
    return into


def source(package: str, into: Path) -> Path:
    """Return ``into`` holding the package's source as its authors released it. Raises Unavailable.

    Debian's own changes are not applied.
    """
    if into.is_dir():
        return into
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{into.name}-", dir=into.parent) as folder:
        work = Path(folder)
        work.chmod(0o755)
        options = _private_root(work, None, kind="deb-src")
        _run("apt-get", *options, "-q", "update")
        downloads = work / "downloads"
        downloads.mkdir(mode=0o777)
        downloads.chmod(0o777)
        _run("apt-get", *options, "-q", "--download-only", "source", package, cwd=downloads)
        archive = next(downloads.glob("*.orig.tar.*"))
        files = work / "files"
        files.mkdir()
        _run("tar", "-xf", str(archive), "--strip-components", "1", "-C", str(files))
        files.rename(into)
    return into


def _downloaded(package: str, work: Path, release: str | None) -> Path:
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing or not _KEYRING.exists():
        raise Unavailable(f"{package} comes from Debian's archive; missing: {missing or _KEYRING}")
    options = _private_root(work, release)
    _run("apt-get", *options, "-q", "update")
    downloads = work / "downloads"
    downloads.mkdir(mode=0o777)
    downloads.chmod(0o777)
    _run("apt-get", *options, "-q", "download", package, cwd=downloads)
    found = list(downloads.glob(f"{package}_*.deb"))
    if len(found) != 1:
        raise Unavailable(f"{package}: expected one package file, got {found}")
    return found[0]


def _private_root(work: Path, release: str | None, kind: str = "deb") -> list[str]:
    """Make folders for apt of our own, return the options that point there."""
    uri, own_release, component = _main_archive()
    for name in ("lists/partial", "cache/archives/partial", "parts"):
        (work / name).mkdir(parents=True)
    (work / "status").touch()
    line = f"{kind} [signed-by={_KEYRING}] {uri} {release or own_release} {component}\n"
    (work / "sources.list").write_text(line)
    folders = {
        "Dir::Etc::SourceList": work / "sources.list",
        "Dir::Etc::SourceParts": work / "parts",
        "Dir::State::Lists": work / "lists",
        "Dir::State::Status": work / "status",
        "Dir::Cache": work / "cache",
    }
    return [
        *(f"-o{key}={value}" for key, value in folders.items()),
        "-oAcquire::Languages=none",
        "-oAcquire::Retries=3",
        "-oAPT::Get::List-Cleanup=false",
    ]


def _main_archive() -> tuple[str, str, str]:
    """Return address, release and component of the machine's main archive."""
    text = _run(
        "apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)",
        "Created-By: Packages",
    )  # fmt: skip
    for line in text.splitlines():
        uri, release, component, *_ = line.split()
        if component == "main" and "-" not in release and "/debian" in uri:
            return uri, release, component
    raise Unavailable("this machine's apt names no Debian archive")


def _run(*command: str, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=_LIMIT, check=True
        )
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"{' '.join(command[:1])}: {error.stderr.strip()[-500:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {error}") from error
    return done.stdout
