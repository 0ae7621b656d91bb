"""Values of a configuration, checked one by one so that every mistake is told. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import Final, NamedTuple

from ambassador.frame.address import Address
from sidecar.config.units import duration, endpoint

__all__ = [
    "Field", "Place", "Steps", "Wrong", "address", "choice", "flag", "integer", "listen_address",
    "names", "near", "read", "seconds", "several", "share", "size", "table", "text",
]  # fmt: skip

Field = Callable[[object], object]
Steps = tuple[str | int, ...]
_MILLISECONDS: Final = "_ms"
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SIZE: Final = re.compile(r"(\d+)\s*([kmg]?)i?b?", re.IGNORECASE | re.ASCII)
_TRUTHS: Final = {
    "true": True, "yes": True, "on": True, "1": True,
    "false": False, "no": False, "off": False, "0": False,
}  # fmt: skip


class Place(NamedTuple):
    """Where a value stands: in a file by line and column, in a variable, on a command line."""

    source: str
    positions: Mapping[Steps, str] = {}
    steps: Steps = ()

    def below(self, *steps: str | int) -> "Place":
        """Return the place of something within."""
        return self._replace(steps=(*self.steps, *steps))

    def __str__(self) -> str:
        """Return it as a mistake begins: ``file:3:5: upstream.probe``."""
        known = (self.positions.get(self.steps[:end]) for end in range(len(self.steps), -1, -1))
        at = next((f":{one}" for one in known if one), "")
        path = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in self.steps)
        return f"{self.source}{at}: {path.lstrip('.')}" if path else f"{self.source}{at}"


class Wrong(ValueError):
    """Mistakes within a value, each with the steps to it."""

    def __init__(self, mistakes: Sequence[tuple[Steps, str]]) -> None:
        """Take at least one."""
        super().__init__(mistakes[0][1])
        self.mistakes = mistakes


def near(word: object, known: Iterable[str], form: str = "{}") -> str:
    """Return ``; did you mean X?``, or nothing when no known word is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - memory

    found = get_close_matches(str(word), known, n=1)
    return f"; did you mean {form.format(found[0])}?" if found else ""


def read(
    given: object,
    fields: Mapping[str, tuple[str, Field]],
    place: Place,
    problems: list[str],
    others: Sequence[str] = (),
) -> dict[str, object]:
    """Return the values of known keys by what they are called inside; tell what is wrong.

    ``fields`` maps a key to its inner name and what checks it (raises ValueError); ``others`` are
    keys that somebody else reads.
    """
    found, mistakes = _checked(given, fields, others)
    problems += [f"{place.below(*steps)}: {why}" for steps, why in mistakes]
    return found


def _checked(
    given: object, fields: Mapping[str, tuple[str, Field]], others: Sequence[str] = ()
) -> tuple[dict[str, object], list[tuple[Steps, str]]]:
    found: dict[str, object] = {}
    mistakes: list[tuple[Steps, str]] = []
    if given is None:
        return found, mistakes
    if not isinstance(given, Mapping):
        return found, [((), "keys and values are expected here")]
    for key, value in given.items():
        known, asked = _known(key, value, fields)
        if known is None:
            mistakes.append(((str(key),), f"there is no such key{near(key, (*fields, *others))}"))
            continue
        name, check = known
        if value is None:
            continue  # as if it were not there
        if name in found:
            mistakes.append(((str(key),), "is given twice"))
        try:
            found[name] = check(asked)
        except Wrong as wrong:
            mistakes += [((str(key), *steps), why) for steps, why in wrong.mistakes]
        except ValueError as wrong:
            mistakes.append(((str(key),), str(wrong)))
    return found, mistakes


def _known(
    key: object, value: object, fields: Mapping[str, tuple[str, Field]]
) -> tuple[tuple[str, Field] | None, object]:
    """Return what checks a key, and the value; ``slow_ms: 50`` is ``slow: 50ms``."""
    word = str(key)
    known = fields.get(word)
    if known is None and word.endswith(_MILLISECONDS):
        known = fields.get(word.removesuffix(_MILLISECONDS))
        if known is not None and known[1] is seconds:
            name, _ = known
            return (name, _milliseconds), value
        known = None
    return known, value


def table(fields: Mapping[str, tuple[str, Field]], make: Callable[..., object]) -> Field:
    """Return a check for a table that becomes one object."""

    def checked(value: object) -> object:
        found, mistakes = _checked(value, fields)
        if mistakes:
            raise Wrong(mistakes)
        try:
            return make(**found)
        except TypeError as missing:
            raise ValueError("cert and key are needed") from missing

    return checked


def several(check: Field) -> Field:
    """Return a check for a list of such values, or one text with commas between them."""

    def checked(value: object) -> tuple[object, ...]:
        values = value.split(",") if isinstance(value, str) else value
        if not isinstance(values, Sequence):
            raise ValueError("a list is expected")  # noqa: TRY004 - as all checks do
        found: list[object] = []
        mistakes: list[tuple[Steps, str]] = []
        for number, one in enumerate(values):
            try:
                found.append(check(one))
            except ValueError as wrong:
                mistakes.append(((number,), str(wrong)))
        if mistakes:
            raise Wrong(mistakes)
        return tuple(found)

    return checked


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


def _milliseconds(value: object) -> float:
    return integer(value) / 1000


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
            raise ValueError(f"{value!r} is none of {', '.join(words)}{near(value, words)}")
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
