"""What the admin address tells of a Redis ambassador, and does for it."""

from collections.abc import Awaitable, Callable, Mapping

from ambassador.frame.admin import Answer, Handler
from ambassador.redis.ambassador import RedisAmbassador
from ambassador.redis.hub import Hub
from ambassador.redis.node import Node

__all__ = ["routes_of"]


def routes_of(
    ambassador: RedisAmbassador, reload: Callable[[], Awaitable[None]]
) -> Mapping[tuple[str, str], Handler]:
    """Return the routes; ``reload`` reads the configuration again."""

    async def live(_: str) -> Answer:
        return Answer(200, {"alive": True})

    async def ready(_: str) -> Answer:
        trouble = ambassador.trouble()
        return Answer(503 if trouble else 200, {"ready": not trouble, "trouble": trouble})

    async def topology(_: str) -> Answer:
        return Answer(200, _topology(ambassador.serving))

    async def clients(_: str) -> Answer:
        return Answer(200, _clients(ambassador.serving))

    async def slowlog(_: str) -> Answer:
        return Answer(200, [entry._asdict() for entry in ambassador.serving.slowlog.entries])

    async def drain(node: str) -> Answer:
        return _drain(ambassador.serving, node, is_draining=True)

    async def undrain(node: str) -> Answer:
        return _drain(ambassador.serving, node, is_draining=False)

    async def again(_: str) -> Answer:
        await reload()
        return Answer(200, {"reloaded": True})

    async def refresh(_: str) -> Answer:
        for node in ambassador.serving.nodes.values():
            node.observation = None
            node.poked.set()
        return Answer(200, {"refreshed": True})

    return {
        ("GET", "/health/live"): live,
        ("GET", "/health/ready"): ready,
        ("GET", "/topology"): topology,
        ("GET", "/clients"): clients,
        ("GET", "/slowlog"): slowlog,
        ("POST", "/drain/"): drain,
        ("POST", "/undrain/"): undrain,
        ("POST", "/reload"): again,
        ("POST", "/refresh"): refresh,
    }


def _topology(hub: Hub) -> dict[str, object]:
    return {
        **hub.parts(),
        "primary": hub.primary.label if hub.primary is not None else None,
        "trouble": hub.verdict.why or None,
        "named_by_sentinel": str(hub.named) if hub.named else None,
        "held": len(hub.held),
        "nodes": [_node(hub, node) for node in hub.nodes.values()],
    }


def _node(hub: Hub, node: Node) -> dict[str, object]:
    seen = node.observation
    return {
        "address": node.label,
        "zone": node.zone,
        "state": str(node.health.state),
        "role": seen.role if seen else None,
        "readable": node.is_readable,
        "draining": node.is_draining or node.is_drained,
        "loading": bool(seen and seen.is_loading),
        "linked": bool(seen and seen.is_linked),
        "offset": seen.offset if seen else None,
        "replid": seen.replid if seen else None,
        "lag_bytes": hub.lag_of(node).bytes_behind(node.offset) if node.is_readable else None,
        "clients": node.clients,
        "links": len(node.links),
        "dedicated": node.dedicated,
        "spare": node.spares,
        "outstanding": node.outstanding,
        "commands": dict(zip(("other", "read", "write", "look"), node.counts, strict=True)),
    }


def _clients(hub: Hub) -> list[dict[str, object]]:
    return [
        {
            "id": client.id,
            "listener": client.listener.label,
            "name": client.session.name.decode(errors="replace"),
            "db": client.session.attributes.db,
            "protocol": client.session.attributes.protocol,
            "mode": client.reader.mode,
            "age": round(hub.now() - client.since, 3),
            "outstanding": client.outstanding,
            "alone": client.session.lease is not None,
            "slow": client.is_slow,
        }
        for client in hub.clients
    ]


def _drain(hub: Hub, label: str, *, is_draining: bool) -> Answer:
    node = next((one for one in hub.nodes.values() if one.label == label), None)
    if node is None:
        return Answer(404, {"error": f"there is no server {label}"})
    node.is_drained = is_draining
    hub.rejudge()
    return Answer(200, {"node": label, "draining": is_draining, "outstanding": node.outstanding})
