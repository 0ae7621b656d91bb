"""What a boolean filter expression is once it is read. Pure."""

import enum
from dataclasses import dataclass
from typing import Final

from sidecar.errors import PermanentError

__all__ = ["All", "Expression", "FilterError", "Match", "No", "Operator", "Some"]

_PREFIX: Final = "Failed to create boolean expression evaluator: "


class FilterError(PermanentError):
    """A filter expression is wrong; its text is what Consul answers with status 500."""

    def __init__(self, what: str) -> None:
        """Take the text after the prefix that all of them share."""
        super().__init__(_PREFIX + what)


class Operator(enum.StrEnum):
    """How a selected value is compared; the values are the names in error texts."""

    EQUAL = "Equal"
    NOT_EQUAL = "Not Equal"
    IN = "In"
    NOT_IN = "Not In"
    IS_EMPTY = "Is Empty"
    IS_NOT_EMPTY = "Is Not Empty"
    MATCHES = "Matches"
    NOT_MATCHES = "Not Matches"


@dataclass(frozen=True, slots=True)
class Match:
    """One comparison; ``value`` is not used by the two operators about emptiness."""

    selector: tuple[str, ...]
    operator: Operator
    value: str = ""


@dataclass(frozen=True, slots=True)
class No:
    """True when the operand is not."""

    operand: "Expression"


@dataclass(frozen=True, slots=True)
class All:
    """True when every operand is."""

    operands: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """True when at least one operand is."""

    operands: tuple["Expression", ...]


Expression = Match | No | All | Some
