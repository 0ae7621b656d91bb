"""The families of paths together, for the composition root."""

from collections.abc import Callable, Iterable, Mapping

from aiohttp import web

from sidecar.catalog.events import concerns
from sidecar.catalog.kept import Kept
from sidecar.catalog.sessions import NodeChecks
from sidecar.web.consul import event, kv, session, status, txn
from sidecar.web.door import Later, Short, ShortAnswer

__all__ = ["shorts", "store_routes"]


def shorts(*ways: Short) -> Short:
    """Return the first answer that one of these has."""

    def short(target: str, gzip: bool) -> ShortAnswer | Later | None:
        for way in ways:
            if (answer := way(target, gzip)) is not None:
                return answer
        return None

    return short


def store_routes(
    kept: Kept,
    *,
    datacenter: str,
    node: str,
    address: str,
    checks_of: NodeChecks,
    tags_of: Callable[[], Mapping[str, Iterable[str]]] = dict,
) -> list[web.RouteDef]:
    """Return the routes of keys, sessions, transactions, events and status.

    ``tags_of`` returns the tags of the node's instances by id, for the filters of events.
    """
    return [
        *kv.routes(kept, datacenter),
        *session.routes(kept, datacenter, node, checks_of),
        *txn.routes(kept, datacenter),
        *event.routes(datacenter, concerns=lambda fired: concerns(fired, node, tags_of())),
        *status.routes(address),
    ]
