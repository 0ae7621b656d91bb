"""A Debian base image made on this machine with debootstrap; what it made is kept.

The archive is the one this machine's apt uses; its address is asked for and written nowhere.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["base_tar", "why_not"]

PACKAGES: Final = ("python3", "haproxy")
_CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pinnace"
# Documentation and translations: half of the files, none of the use.
_USELESS: Final = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/lib/apt/lists")


def why_not() -> str | None:
    """Why no base can be made here, or None."""
    if os.geteuid() != 0:
        return "debootstrap needs root"
    missing = [name for name in ("debootstrap", "apt-get", "tar") if shutil.which(name) is None]
    return f"missing: {', '.join(missing)} (deploy/setup installs them)" if missing else None


def base_tar() -> Path:
    """Return a tar file of a minimal Debian with Python and HAProxy; make it when there is none."""
    suite = platform.freedesktop_os_release()["VERSION_CODENAME"]
    recipe = " ".join((suite, platform.machine(), *PACKAGES))
    target = _CACHE / f"base-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}.tar"
    if not target.exists():
        _CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="pn-base-", ignore_cleanup_errors=True) as folder:
            _bootstrap(suite, Path(folder) / "root")
            fresh = target.with_suffix(f".{os.getpid()}")
            _run("tar", "--numeric-owner", "-C", f"{folder}/root", "-cf", str(fresh), ".")
            fresh.replace(target)
    return target


def _bootstrap(suite: str, root: Path) -> None:
    include = f"--include={','.join(PACKAGES)}"
    _run("debootstrap", "--variant=minbase", include, suite, str(root), _archive(suite))
    for useless in _USELESS:
        shutil.rmtree(root / useless, ignore_errors=True)
    for package in (root / "var/cache/apt").rglob("*.*"):
        package.unlink()


def _archive(suite: str) -> str:
    """The archive of this suite in apt's own sources."""
    wanted = ("Created-By: Packages", f"Codename: {suite}", "Origin: Debian", "Component: main")
    found = _run("apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted).split()
    if not found:
        raise RuntimeError(f"apt's sources name no archive of {suite}")
    return found[0]


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-10:])
        raise RuntimeError(f"{command[0]} failed:\n{last}")
    return done.stdout
