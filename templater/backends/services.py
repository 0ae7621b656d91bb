"""The catalogue's services as keys, in the form that Registrator writes to key-value stores. Pure.

``/services/NAME/ID`` is ``address:port``, for instances that take new work; below it are
``address``, ``port``, ``node``, ``status``, ``weight``, ``tags`` and ``meta/KEY``. Names and texts
come from labels: what could be another key, or more than one line, is left out and told.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from sidecar.catalog.model import Instance, Snapshot
from sidecar.catalog.query import address_of
from templater.names import Address, Host

__all__ = ["ROOT", "Services", "concerns", "services_below"]

ROOT: Final = "/services"
_PART: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.:@+-]{1,255}", re.ASCII)


class Services(NamedTuple):
    """Keys and values, and a line for each thing that is left out."""

    values: Mapping[str, str]
    problems: tuple[str, ...]


def concerns(key: str) -> bool:
    """Say whether a key that stands for all that begin with it reaches into the services."""
    return ROOT.startswith(key) or key.startswith(f"{ROOT}/")


def services_below(snapshot: Snapshot, key: str) -> Services:
    """Return the services' keys that begin with this one."""
    values: dict[str, str] = {}
    problems: list[str] = []
    for name, members in snapshot.services.items():
        folder = f"{ROOT}/{name}"
        if not (folder.startswith(key) or key.startswith(folder)):
            continue
        for one in members:
            if not one.takes_new_work:
                continue
            found = _of(one, address_of(one, snapshot.nodes), problems)
            values |= {path: value for path, value in found if path.startswith(key)}
    return Services(values, tuple(dict.fromkeys(problems)))


def _of(one: Instance, address: str, problems: list[str]) -> Iterator[tuple[str, str]]:
    owner = f"service {one.service!a:.60}"
    if not (_PART.fullmatch(one.service) and _PART.fullmatch(one.id)):
        problems.append(f"{owner}: id {one.id!a:.60} cannot be a part of a key")
        return
    if not _is_place(address):
        problems.append(f"{owner}: address {address!a:.60} is no address")
        return
    path = f"{ROOT}/{one.service}/{one.id}"
    yield path, f"[{address}]:{one.port}" if ":" in address else f"{address}:{one.port}"
    texts = {
        "address": address,
        "node": one.node,
        "port": str(one.port),
        "status": str(one.status),
        "tags": ",".join(one.tags),
        "weight": str(one.weight),
        **{f"meta/{name}": text for name, text in one.meta.items() if _PART.fullmatch(name)},
    }
    for name, text in texts.items():
        if text.isprintable():
            yield f"{path}/{name}", text
        else:
            problems.append(f"{owner}: {name} has control characters")


def _is_place(text: str) -> bool:
    for type_ in (Address, Host):
        try:
            type_(text)
        except ValueError:
            continue
        return True
    return False
