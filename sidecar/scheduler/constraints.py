"""SwarmKit's placement constraints: ``node.labels.zone == a``, ``node.ip != 192.0.2.0/24``. Pure.

Neither globs nor patterns; values are compared without regard to case. What does not begin with
``node.`` or ``engine.`` here is classic Swarm's grammar on a node's labels.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from sidecar.scheduler.expressions import Expression, ExpressionError, parse_expression

__all__ = ["Constraint", "parse_constraint"]

_FORM: Final = re.compile(r"\s*([^\s=!]+)\s*(==|!=)\s*(.*?)\s*", re.DOTALL)
_SINGLE: Final = re.compile(r"\s*([^\s=!]+)\s*=\s*([^=].*?)\s*", re.DOTALL)
_VALUE: Final = re.compile(r"[A-Za-z0-9:_\s.*()?+\[\]\\^$|/-]+")
_KEYS: Final = frozenset(
    {"node.id", "node.hostname", "node.ip", "node.role", "node.platform.os", "node.platform.arch"}
)
_PREFIXES: Final = ("node.labels.", "engine.labels.")


@dataclass(frozen=True, slots=True)
class Constraint:
    """One rule about a node; ``key`` is in lower case but for the label's name."""

    key: str
    is_negated: bool
    value: str
    text: str
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None


def parse_constraint(text: str) -> Constraint | Expression:
    """Read one constraint. Raises ExpressionError with the position of what is wrong."""
    found = _FORM.fullmatch(text)
    single = None if found else _SINGLE.fullmatch(text)  # the deploy document shows this form
    if single:
        key, operator, value = single[1], "==", single[2]
    elif found:
        key, operator, value = found[1], found[2], found[3]
    else:
        raise ExpressionError("neither == nor != is in it", text, 0)
    lowered = key.lower()
    if not lowered.startswith(("node.", "engine.")):
        return parse_expression(f"{key}{operator}{value}")
    if not value or not _VALUE.fullmatch(value):
        raise ExpressionError(f"the value {value!r} is invalid", text, len(text) - len(value))
    return Constraint(_key(key, lowered, text), operator == "!=", value, text, _net(lowered, value))


def _key(key: str, lowered: str, text: str) -> str:
    if lowered in _KEYS:
        return lowered
    for prefix in _PREFIXES:
        if lowered.startswith(prefix) and len(key) > len(prefix):
            return prefix + key[len(prefix) :]
    known = ", ".join([*sorted(_KEYS), *(f"{prefix}NAME" for prefix in _PREFIXES)])
    raise ExpressionError(f"{key!r} is none of {known}", text, text.find(key))


def _net(key: str, value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    if key != "node.ip":
        return None
    try:
        return ipaddress.ip_network(value, strict=False)
    except ValueError:
        text = f"{key}=={value}"
        raise ExpressionError(
            f"{value!r} is neither an address nor a network", text, len(key) + 2
        ) from None
