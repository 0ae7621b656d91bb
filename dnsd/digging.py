"""What a question gets and why, for people: ``pinnace dig``."""

from collections.abc import Mapping
from struct import pack
from typing import Any, Final

from dnsd import codes
from dnsd.explain import explain
from dnsd.forward.message import Asked, Malformed, read
from dnsd.forward.upstreams import group_of
from dnsd.present import data_of, name_text, question_of, type_text
from dnsd.records import Record
from dnsd.service import Service
from dnsd.tallies import Channel
from sidecar.catalog.model import Instance
from sidecar.catalog.query import address_of

__all__ = ["dig"]

_CHANNEL: Final = Channel("dig", "tcp", "1")
"""Not one of those that the metrics count."""


def dig(service: Service, name: str, type_: str) -> Mapping[str, Any]:
    """Return the reply of this moment, and which instances made it; raises ValueError."""
    labels, owner, qtype = question_of(name, type_)
    replies = service.responder.replies()
    packet = pack(">HHHHHH", 0, codes.RD, 1, 0, 0, 0) + owner + pack(">HH", qtype, 1)
    found: dict[str, Any] = {"name": name_text(owner), "type": type_text(qtype)}
    reply = replies.miss(packet, _CHANNEL)
    try:
        decoded = read(reply or b"", Asked(owner, qtype, codes.CLASS_IN), 0)
    except Malformed as error:
        raise ValueError(f"{name!r} cannot be asked for: {error}") from error
    found["status"] = codes.RCODE_NAMES.get(decoded.rcode, str(decoded.rcode))
    for title, section in zip(("answer", "authority", "additional"), decoded.sections, strict=True):
        found[title] = [_shown(record) for record in section]
    why = explain(replies.view, service.site, owner, qtype)
    found |= {"zone": why.zone, "asked": why.asked, "index": replies.view.snapshot.index}
    found["synced"] = service.source.synced
    nodes = replies.view.snapshot.nodes
    found["named"] = [_instance(one, address_of(one, nodes)) for one in why.named]
    found["left_out"] = [
        _instance(one.instance, address_of(one.instance, nodes)) | {"reason": one.reason}
        for one in why.left_out
    ]
    if not why.zone and service.recursion is not None:
        group = group_of(labels, service.recursion.resolver.settings.groups)
        found["forwarded_to"] = [str(u.at) for u in group[1].upstreams] if group else []
    return found


def _shown(record: Record) -> Mapping[str, Any]:
    return {
        "name": name_text(record.owner or b"\0"),
        "ttl": record.ttl,
        "type": type_text(record.type),
        "data": data_of(record),
    }


def _instance(instance: Instance, address: str) -> dict[str, Any]:
    return {
        "service": instance.service,
        "id": instance.id,
        "node": instance.node,
        "address": address,
        "port": instance.port,
        "tags": list(instance.tags),
        "status": str(instance.status),
        "draining": instance.draining,
    }
