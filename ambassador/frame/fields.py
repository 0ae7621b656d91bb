"""Values of a configuration, checked one by one so that every mistake is told. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Final

from ambassador.frame.address import Address
from sidecar.config.units import duration, endpoint

__all__ = [
    "Field", "address", "choice", "flag", "integer", "listen_address", "names", "read", "seconds",
    "share", "size", "text",
]  # fmt: skip

Field = Callable[[object], object]
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SIZE: Final = re.compile(r"(\d+)\s*([kmg]?)i?b?", re.IGNORECASE | re.ASCII)
_TRUTHS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read(
    given: object, fields: Mapping[str, tuple[str, Field]], where: str, problems: list[str]
) -> dict[str, object]:
    """Return the values of known keys by what they are called inside; tell what is wrong.

    ``fields`` maps a key to its inner name and what checks it (raises ValueError).
    """
    found: dict[str, object] = {}
    if given is None:
        return found
    if not isinstance(given, Mapping):
        problems.append(f"{where}: keys and values are expected here")
        return found
    for key, value in given.items():
        if key not in fields:
            from difflib import get_close_matches  # noqa: PLC0415 - memory

            near = get_close_matches(str(key), fields, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            problems.append(f"{where}: there is no key {key!r}{hint}")
            continue
        name, check = fields[key]
        try:
            found[name] = check(value)
        except ValueError as wrong:
            problems.append(f"{where}.{key}: {wrong}")
    return found


def text(value: object) -> str:
    """Return a text."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError("a text is expected")


def seconds(value: object) -> float:
    """Return a duration."""
    return duration(text(value))


def integer(value: object) -> int:
    """Return a whole number that is not negative."""
    word = text(value).strip()
    if not (word.isascii() and word.isdigit()):
        raise ValueError(f"{word!r} is no whole number")
    return int(word)


def share(value: object) -> float:
    """Return a number that is not negative."""
    try:
        found = float(text(value))
    except ValueError:
        found = -1.0
    if not 0 <= found < inf:
        raise ValueError(f"{value!r} is no share; write for example 0.5")
    return found


def size(value: object) -> int:
    """Return bytes: a number, or one with KiB, MiB or GiB."""
    word = text(value).strip()
    match = _SIZE.fullmatch(word)
    if match is None:
        raise ValueError(f"{word!r} is no size; write for example 64MiB")
    return int(match[1]) * _UNITS[match[2].lower()]


def flag(value: object) -> bool:
    """Return true or false."""
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word not in _TRUTHS:
        raise ValueError(f"{value!r} is neither true nor false")
    return _TRUTHS[word]


def choice(*words: str) -> Field:
    """Return a check for one of these."""

    def check(value: object) -> str:
        if value not in words:
            raise ValueError(f"{value!r} is none of {', '.join(words)}")
        return str(value)

    return check


def names(value: object) -> frozenset[str]:
    """Return names, from a list or separated by commas or blanks; ``config get`` as one word."""
    words = value if isinstance(value, Sequence) and not isinstance(value, str) else None
    if words is None:
        words = text(value).replace(",", " ").split()
    return frozenset("|".join(str(word).lower().split()) for word in words)


def address(value: object) -> Address:
    """Return where a server is: ``HOST:PORT`` or ``unix:PATH``."""
    found = listen_address(value)
    if found.host == "0.0.0.0":
        raise ValueError(f"{value!r} names no host")
    return found


def listen_address(value: object) -> Address:
    """Return where to listen: ``ADDR:PORT`` or ``unix:PATH``."""
    word = text(value)
    if word.startswith("unix:"):
        path = word.removeprefix("unix:")
        if not path.startswith("/"):
            raise ValueError(f"{word!r} needs an absolute path")
        return Address(path, 0)
    return Address(*endpoint(word))
