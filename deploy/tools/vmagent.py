"""vmagent of this machine's Debian release: a client of Consul's API that nobody here wrote.

``python -m deploy.tools.vmagent fetch`` downloads it.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from deploy.tools.debian import Unavailable, cache_folder, unpacked

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Unavailable", "binary", "main"]

_PACKAGE = "victoria-metrics"
_FOLDER = cache_folder(_PACKAGE) / "own"


def binary() -> Path:
    """Return the program, downloaded when it is missing. Raises Unavailable."""
    return unpacked(_PACKAGE, _FOLDER) / "usr/bin/vmagent"


def main(arguments: list[str] | None = None) -> int:
    """``fetch``: download and print the path."""
    parser = argparse.ArgumentParser(prog="python -m deploy.tools.vmagent", description=__doc__)
    parser.add_argument("command", choices=("fetch",))
    parser.parse_args(arguments)
    if not _FOLDER.is_dir():
        print("fetching vmagent: its Consul discovery is tried on Pinnace", file=sys.stderr)
    try:
        print(binary())
    except Unavailable as error:
        print(f"vmagent: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
