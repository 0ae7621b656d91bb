"""Whose an entry is that nobody marked: Registrator's ids tell the host. Pure."""

import re
from collections.abc import Container, Iterable, Mapping
from typing import Final

__all__ = ["holders_own", "is_adopted", "node_of"]

_ID: Final = re.compile(r"(.+?):([a-zA-Z0-9][a-zA-Z0-9_.-]+):[0-9]+(?::udp)?")


def is_adopted(id_: str, node: str) -> bool:
    """Say whether a registrar on this node made this id (Registrator's rule for its cleanup)."""
    return bool(node) and node_of(id_) == node


def node_of(id_: str) -> str:
    """Return the host that an id of Registrator's form names; nothing for another form."""
    match = _ID.fullmatch(id_)
    return "" if match is None else match[1]


def holders_own(
    ids: Iterable[str], marked: Container[str], others: Mapping[str, str], node: str
) -> frozenset[str]:
    """Return which of these ids are the holder's: marked, or made on its node and unclaimed."""
    return frozenset(
        id_ for id_ in ids if id_ in marked or (is_adopted(id_, node) and id_ not in others)
    )
