"""Compare two recordings field by field; differences on purpose stand in one table. Pure."""

import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.compat.consul.normalise import Normal

__all__ = ["ALLOWED", "Allowed", "Difference", "differences", "unexplained"]

_ABSENT: Final = "<absent>"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that two sides answer differently."""

    number: int
    request: str
    field: str
    consul: Any
    ours: Any

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.number}: {self.request}: {self.field}: {self.consul!r} != {self.ours!r}"


@dataclass(frozen=True, slots=True)
class Allowed:
    """A difference on purpose: patterns of request and field, what ours says (None: anything)."""

    reason: str
    request: str
    field: str
    ours: Any = None

    def covers(self, difference: Difference) -> bool:
        """Whether this line of the table explains a difference."""
        return (
            fnmatch.fnmatchcase(difference.request, self.request)
            and fnmatch.fnmatchcase(difference.field, self.field)
            and (self.ours is None or self.ours == difference.ours)
        )


def differences(consul: list[Normal], ours: list[Normal]) -> Iterator[Difference]:
    """Yield every field that is not the same; types count, ``1`` is not ``True``."""
    for number, (left, right) in enumerate(zip(consul, ours, strict=True)):
        for field, one, other in _unlike("", left.fields, right.fields):
            yield Difference(number, str(left.step), field, one, other)


def unexplained(consul: list[Normal], ours: list[Normal]) -> list[Difference]:
    """Return the differences that no line of the table explains."""
    return [
        difference
        for difference in differences(consul, ours)
        if not any(allowed.covers(difference) for allowed in ALLOWED)
    ]


def _unlike(field: str, one: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            inner = f"{field}.{key}" if field else str(key)
            yield from _unlike(inner, one.get(key, _ABSENT), other.get(key, _ABSENT))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _unlike(f"{field}.{place}", left, right)
    elif type(one) is not type(other) or one != other:
        yield field, one, other


_STRICT: Final = "strict validation: a value that can harm a reader is refused, the peer takes it"
ALLOWED: Final[tuple[Allowed, ...]] = (
    *(
        Allowed(_STRICT, f"PUT /v1/agent/service/register *{value}*", field, ours)
        for value in (
            "line\\nbreak", "../../etc", "id\\r\\nx", "a\\nb", "a b\\n", "70000", "-5",
            "unheard-of",
        )
        for field, ours in (("status", 400), ("text", None), ("header.Content-Type", None))
    ),
    Allowed(
        "strict validation: what was refused is not listed", "GET /v1/agent/services?pretty",
        "body.*", "<absent>",
    ),
    Allowed(
        "a registration that is refused changes nothing; the peer takes away the check of that id",
        "GET /v1/agent/checks?pretty=stays", "body.stays*",
    ),
    Allowed(
        "reload keeps services registered over the API, the peer's dev agent drops them",
        "GET /v1/agent/services?pretty=kept", "body.kept*",
    ),
)  # fmt: skip
