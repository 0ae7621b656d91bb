"""Build the image: `python -m deploy.tools.image --base BASE --tag TAG`, on DOCKER_HOST's engine.

The wheels are fetched here, checked against the pinned hashes, and given to the build: the build
itself asks no package index.
"""

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Final

from sidecar import __version__

__all__ = ["build", "main"]

_TOP: Final = Path(__file__).resolve().parents[2]
_WHEELS: Final = _TOP / "deploy" / "wheels"
_PLATFORMS: Final = ("linux", "manylinux2014", "manylinux_2_17", "manylinux_2_28")


def build(base: str, tag: str, env: dict[str, str], target: str = "") -> None:
    """Build the image on this base; ``env`` tells the docker command line where the engine is.

    ``target`` is another image of the Dockerfile: ``registrator``.
    """
    # First the system alone: only the base knows which Python the wheels must be for.
    _docker(env, "build", "-q", "--target", "system", "-t", f"{tag}-system", *_arguments(base))
    version = _docker(
        env, "run", "--rm", "--network", "none", "--entrypoint", "python3", f"{tag}-system",
        "-c", "import sys; print('%d.%d' % sys.version_info[:2])",
    )  # fmt: skip
    collect_wheels(version.strip())
    chosen = ("--target", target) if target else ()
    _docker(env, "build", "-q", "-t", tag, *chosen, *_arguments(base))
    _docker(env, "rmi", f"{tag}-system")


def collect_wheels(version: str) -> None:
    """Fill deploy/wheels with the pinned wheels for this Python and with Pinnace itself."""
    for old in _WHEELS.glob("*.whl"):
        old.unlink()
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")
    tags = [f"--platform={name}_{platform.machine()}" for name in _PLATFORMS]
    target = ("--dest", str(_WHEELS), "--only-binary=:all:", f"--python-version={version}", *tags)
    for name in ("runtime", "build"):
        pins = str(_TOP / "requirements" / f"{name}.txt")
        _run(*pip, "download", "--require-hashes", "--no-deps", *target, "-r", pins)
    _run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(_WHEELS), str(_TOP))


def _arguments(base: str) -> list[str]:
    revision = _run("git", "-C", str(_TOP), "rev-parse", "HEAD", check=False).strip() or "unknown"
    values = {"BASE": base, "VERSION": __version__, "REVISION": revision}
    words = [word for name, value in values.items() for word in ("--build-arg", f"{name}={value}")]
    return [*words, "-f", str(_TOP / "deploy" / "Dockerfile"), str(_TOP)]


def _docker(env: dict[str, str], *args: str) -> str:
    return _run("docker", *args, env=env)


def _run(*command: str, env: dict[str, str] | None = None, check: bool = True) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> int:
    """Build and say what came out."""
    parser = argparse.ArgumentParser(description="Build the image of Pinnace.")
    parser.add_argument("--base", default="debian:stable-slim", help="a Debian image")
    parser.add_argument("--tag", default="pinnace:latest")
    parser.add_argument("--target", default="", help="registrator: in that image's place")
    options = parser.parse_args()
    try:
        build(options.base, options.tag, dict(os.environ), options.target)
    except RuntimeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(_docker(dict(os.environ), "images", options.tag), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
