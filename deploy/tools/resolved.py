"""systemd-resolved of this machine's Debian release, unpacked beside the system.

Its package must not be installed for a test: it takes over /etc/resolv.conf.
``python -m deploy.tools.resolved fetch`` downloads it.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from deploy.tools.debian import Unavailable, cache_folder, unpacked

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Unavailable", "binary", "main"]

_PACKAGE = "systemd-resolved"
_FOLDER = cache_folder(_PACKAGE) / "own"
_PROGRAMS = ("usr/lib/systemd/systemd-resolved", "lib/systemd/systemd-resolved")


def binary() -> Path:
    """Return the program, downloaded when it is missing. Raises Unavailable."""
    folder = unpacked(_PACKAGE, _FOLDER)
    for name in _PROGRAMS:  # Debian 13 merged the folders
        if (folder / name).exists():
            return folder / name
    raise Unavailable(f"{folder} has none of {', '.join(_PROGRAMS)}")


def main(arguments: list[str] | None = None) -> int:
    """``fetch``: download and print the path."""
    parser = argparse.ArgumentParser(prog="python -m deploy.tools.resolved", description=__doc__)
    parser.add_argument("command", choices=("fetch",))
    parser.parse_args(arguments)
    if not _FOLDER.is_dir():
        print("fetching systemd-resolved: a recipe for it is tried in a test", file=sys.stderr)
    try:
        print(binary())
    except Unavailable as error:
        print(f"cannot fetch systemd-resolved: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
