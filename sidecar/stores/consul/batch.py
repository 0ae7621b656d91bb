"""What a batch of wanted entries means to an agent, whose ids are its own. Pure."""

from collections.abc import Container, Mapping
from typing import Final, NamedTuple

from sidecar.catalog.model import Instance, Key

__all__ = ["Batch", "batch_of", "by_id"]

_TWICE: Final = "another service of this host has the same id"


class Batch(NamedTuple):
    """What to register and what to remove, by id, and why some entries cannot be written."""

    puts: dict[str, tuple[Key, Instance]]
    drops: dict[str, Key]
    refused: dict[Key, str]


def batch_of(wanted: Mapping[Key, Instance | None], held: Mapping[str, Key]) -> Batch:
    """Return the batch; ``held`` says which key has an id now.

    Of two that want one id, the one that has it keeps it, else the first gets it. What another
    service has under the same id by now is not removed.
    """
    puts: dict[str, tuple[Key, Instance]] = {}
    refused: dict[Key, str] = {}
    for key, instance in wanted.items():
        if instance is None:
            continue
        there = puts.get(key.id)
        if there is not None and held.get(key.id) != key:
            refused[key] = _TWICE
            continue
        if there is not None:
            refused[there[0]] = _TWICE
        puts[key.id] = (key, instance)
    return Batch(puts, _drops(wanted, held, puts), refused)


def _drops(
    wanted: Mapping[Key, Instance | None], held: Mapping[str, Key], puts: Container[str]
) -> dict[str, Key]:
    return {
        key.id: key
        for key, instance in wanted.items()
        if instance is None
        and key.id not in puts
        and (key.id not in held or held[key.id].service == key.service)
    }


def by_id(desired: Mapping[Key, Instance]) -> dict[str, dict[Key, Instance]]:
    """Return what is desired by id."""
    found: dict[str, dict[Key, Instance]] = {}
    for key, instance in desired.items():
        found.setdefault(key.id, {})[key] = instance
    return found
