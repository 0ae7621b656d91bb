"""Names of beans: domain, properties in the order they were registered with; patterns. Pure.

The order matters: rules see the properties as they were registered, and the first one's value is
part of a metric's name. Two names are equal whatever the order (``key``).
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

__all__ = ["ObjectName", "parse", "parse_pattern"]

_PROPERTY: Final = re.compile(r'([^,=:*?]+)=("(?:[^\\"\n]|\\.)*"|[^,=:"\n]*)')


class ObjectName(NamedTuple):
    """One bean's name, or a pattern."""

    text: str
    domain: str
    properties: Mapping[str, str]
    is_open: bool = False  # a pattern with ,* : more properties may be there

    @property
    def key(self) -> tuple[str, frozenset[tuple[str, str]]]:
        """What makes two names the same bean."""
        return self.domain, frozenset(self.properties.items())

    def type_first(self) -> "ObjectName":
        """Return it with the property ``type`` before the others, as many rule files expect."""
        if "type" not in self.properties:
            return self
        ordered = {"type": self.properties["type"], **self.properties}
        return self._replace(properties=ordered)


def parse(text: str) -> ObjectName:
    """Return the name of a bean. Raises ValueError."""
    return _parse(text, is_pattern=False)


def parse_pattern(text: str) -> "tuple[ObjectName, Callable[[ObjectName], bool]]":
    """Return a pattern and what says whether a bean's name matches it. Raises ValueError.

    ``*`` and ``?`` stand in the domain and in values; ``,*`` or ``*`` allows further properties.
    """
    pattern = _parse(text, is_pattern=True)
    domain = _glob(pattern.domain)
    values = {name: _glob(value) for name, value in pattern.properties.items()}

    def matches(name: ObjectName) -> bool:
        mine = name.properties
        return (
            (pattern.is_open or len(mine) == len(values))
            and domain(name.domain)
            and all(key in mine and fits(mine[key]) for key, fits in values.items())
        )

    return pattern, matches


def _glob(text: str) -> Callable[[str], bool]:
    """Return what compares: a ``*`` or ``?`` makes it a pattern.

    Escaped in quotes they do not; but where there is another, they stand for anything too, as Java
    has it.
    """
    if not re.search(r"[*?]", re.sub(r"\\.", "", text) if text[:1] == '"' else text):
        return text.__eq__
    parts = [""]
    for piece in text:
        if piece == "*":
            parts.append("")
        else:
            parts[-1] += "." if piece == "?" else re.escape(piece)
    first, *others = parts
    # What is between two stars is looked for once, from the left: there is no going back.
    middle = "".join(f"(?>.*?{part})" for part in others[:-1])
    last = f".*{others[-1]}" if others else ""
    found = re.compile(first + middle + last, re.DOTALL)
    return lambda value: found.fullmatch(value) is not None


def _parse(text: str, *, is_pattern: bool) -> ObjectName:
    domain, colon, rest = text.partition(":")
    if not colon:
        raise ValueError(f"{text!r} has no colon after a domain")
    properties: dict[str, str] = {}
    is_open, at = False, 0
    while at < len(rest) or not properties:
        if is_pattern and rest[at:].split(",", 1)[0] == "*":
            is_open, at = True, at + 2
        elif match := _PROPERTY.match(rest, at):
            if match[1] in properties:
                raise ValueError(f"{text!r} has property {match[1]!r} twice")
            properties[match[1]] = match[2]
            at = match.end() + 1
        else:
            raise ValueError(f"{text!r} has no key=value at {rest[at : at + 20]!r}")
        if at <= len(rest) and rest[at - 1] != ",":
            raise ValueError(f"{text!r} has no comma before {rest[at - 1 : at + 19]!r}")
        if is_open and at >= len(rest):
            break
    if rest.endswith(","):
        raise ValueError(f"{text!r} ends with a comma")
    return ObjectName(text, domain, properties, is_open)
