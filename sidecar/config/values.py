"""Rules that the settings of several parts share. Pure.

Each takes a value and returns it in the form the rest of the program relies on, or raises
ValueError saying what is wrong.
"""

import re
from typing import Final

from sidecar.config.units import endpoint

__all__ = [
    "domain",
    "domain_or_empty",
    "label",
    "listen",
    "more_than_zero",
    "node_or_empty",
    "number",
    "path_or_empty",
]

_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII | re.IGNORECASE)


def listen(text: str) -> str:
    """Take an address to listen on."""
    endpoint(text)
    return text


def domain(text: str) -> str:
    """Return a domain name in lower case, without its last dot."""
    name = text.removesuffix(".").lower()
    labels = name.split(".")
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError(f"{text!r} is not a domain name")
    return name


def domain_or_empty(text: str) -> str:
    """Take nothing, or a domain name."""
    return domain(text) if text else text


def node_or_empty(text: str) -> str:
    """Take nothing, or the name of a node."""
    if text:
        domain(text)
    return text  # the case of a node's name is kept, as Consul does


def label(text: str) -> str:
    """Return one label of a domain name in lower case."""
    if not _LABEL.fullmatch(text):
        raise ValueError(f"{text!r} is not one label of a domain name (letters, digits, - and _)")
    return text.lower()


def path_or_empty(text: str) -> str:
    """Take a path that is one as it stands."""
    if text.startswith("~"):
        raise ValueError(f"{text!r}: ~ is not expanded here; write the whole path")
    return text


def more_than_zero(seconds: float) -> float:
    """Take a duration that is one."""
    if seconds <= 0:
        raise ValueError("must be more than 0")
    return seconds


def number(count: int) -> int:
    """Take a count."""
    if not 0 <= count <= 1_000_000:
        raise ValueError(f"must be from 0 to 1000000, not {count}")
    return count
