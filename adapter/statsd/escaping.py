"""Names of metrics and labels made of what StatsD's clients send. Pure."""

import re
from typing import Final

__all__ = ["escaped"]

_HYPHENS: Final = re.compile(r"--+")
_OTHERS: Final = re.compile(r"[^A-Za-z0-9_]")


def escaped(name: str) -> str:
    """Return a name that Prometheus takes, as statsd_exporter makes it.

    Each other character becomes one underscore, a row of hyphens too; a digit in front gets one
    before it.
    """
    if name[:1] in "0123456789" and name:
        name = "_" + name
    return _OTHERS.sub("_", _HYPHENS.sub("-", name))
