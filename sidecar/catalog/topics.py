"""What a blocking reader can wait for, so that a change wakes only whom it concerns. Pure.

A topic is a service, or one of the tables whose index ``Snapshot`` keeps.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from sidecar.catalog.model import Snapshot

__all__ = ["CHECKS", "NODES", "SERVICES", "moved", "service"]

SERVICES: Final = "services"
NODES: Final = "nodes"
CHECKS: Final = "checks"
_SERVICE: Final = "service/"


def service(name: str) -> str:
    """Return the topic of one service: its instances and all that is said of their health."""
    return _SERVICE + name


def moved(old: Snapshot, new: Snapshot, watched: Iterable[str]) -> Iterator[str]:
    """Yield those of the watched topics whose index is not what it was."""
    for topic in watched:
        if topic.startswith(_SERVICE):
            name = topic[len(_SERVICE) :]
            if old.modified.get(name) != new.modified.get(name):
                yield topic
        elif _index(old, topic) != _index(new, topic):
            yield topic


def _index(snapshot: Snapshot, table: str) -> int | tuple[int, int]:
    match table:
        case "services":
            return snapshot.services_index, snapshot.extinct_index
        case "nodes":
            return snapshot.nodes_index
        case _:
            return snapshot.checks_index
