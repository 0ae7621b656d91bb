"""Answers from the instances of a service: addresses, SRV, TXT, SVCB. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from struct import pack
from typing import Final

from dnsd import codes, names
from dnsd.authority import Question, address_record, local_labels, node_name, other
from dnsd.records import Answer, Record
from dnsd.view import host_name, packed_address
from sidecar.catalog.model import BACKUP, CANARY, CANARY_MATCH, Instance, Status
from sidecar.catalog.shares import Percent, Wish, weights_of

__all__ = ["ALPN", "TARGETED", "Found", "Weighed", "found_in", "targeted", "texts", "weighed"]

ALPN: Final = "alpn"
"""Meta key: protocols of HTTPS and SVCB records, comma separated (RFC 9460 7.1)."""
TARGETED: Final = frozenset((codes.SRV, codes.SVCB, codes.HTTPS))

_KEY_ALPN: Final = 1
_KEY_PORT: Final = 3
_HINTS: Final = {4: 4, 16: 6}  # by octets of an address
_LONGEST_STRING: Final = 255
_BARE: Final = "rfc1035-"


Weighed = Sequence[tuple[Instance, int]]
"""Instances with their weights."""


class Found:
    """Where instances are: shares of addresses, and names that stand for an address."""

    __slots__ = ("aliases", "weights")

    def __init__(self) -> None:
        """Begin with nothing."""
        self.weights: dict[bytes, int] = {}
        self.aliases: list[bytes] = []


def found_in(question: Question, chosen: Weighed) -> Found:
    """Return where the instances are."""
    found = Found()
    weights = found.weights
    for instance, weight in chosen:
        address = instance.address or question.reading.address(instance)
        if (packed := packed_address(address)) is not None:
            weights[packed] = weights.get(packed, 0) + weight
        elif (alias := host_name(address)) is not None:
            found.aliases.append(alias)
    return found


def weighed(chosen: Sequence[Instance]) -> Weighed:
    """Return instances with the weights that a load balancer has, for canaries' shares to be true.

    Whoever is to get nothing is left out, unless there is nobody else.
    """
    if not any(CANARY in one.meta or CANARY_MATCH in one.meta for one in chosen):
        return [(one, _weight_of(one)) for one in chosen]
    weights = weights_of([Wish(_weight_of(one), _share_of(one), _counts(one)) for one in chosen])
    if not any(weights):
        return [(one, _weight_of(one)) for one in chosen]
    return [pair for pair in zip(chosen, weights, strict=True) if pair[1]]


def _weight_of(instance: Instance) -> int:
    """Return the weight its state gives it: at least 1, as 0 means "no server" to some clients."""
    is_warning = instance.status is Status.WARNING
    weight = instance.warning_weight if is_warning else instance.weight
    return min(max(weight, 1), 65535)


def _share_of(instance: Instance) -> Percent | None:
    """Return its share as a canary; a name tells nothing of the requests that match."""
    text = instance.meta.get(CANARY)
    if not text:
        return Percent("0") if instance.meta.get(CANARY_MATCH) else None
    try:
        return Percent(text)
    except ValueError:
        return None  # as for the load balancer, which complains


def _counts(instance: Instance) -> bool:
    return instance.meta.get(BACKUP) != "true"


def targeted(
    question: Question,
    chosen: Weighed,
    ttl: int,
    addresses_of: Callable[[Question, bytes], Iterable[Record]],
) -> Answer:
    """Answer one record per distinct target and port, each target's addresses once, node TXT.

    ``addresses_of`` tells those of a target that is a name of ours.
    """
    records: dict[tuple[bytes, int], Record] = {}
    glue: dict[bytes, tuple[Record, ...]] = {}
    nodes: dict[str, None] = {}
    is_srv = question.qtype == codes.SRV
    for instance, weight in chosen:
        address = instance.address or question.reading.address(instance)
        packed = packed_address(address)
        target = _target(question, instance, packed, address)
        port = instance.port
        if target is None or not 0 <= port <= 65535 or (target, port) in records:
            continue
        if is_srv:
            data = pack(">HHH", 1, weight, port)
            records[target, port] = Record(codes.SRV, ttl, data, (target,), weight=weight)
        elif (made := _svcb(question, instance, target, packed)) is not None:
            records[target, port] = made._replace(ttl=ttl)
        else:
            continue
        if target not in glue:
            glue[target] = (
                tuple(addresses_of(question, target))
                if packed is None
                else (address_record(ttl, packed, owner=target),)
            )
        nodes[instance.node] = None
    if not records:
        return other(question)
    extra = _node_texts(question, nodes) if is_srv and question.site.node_meta else ()
    return Answer(
        codes.NOERROR,
        question.zone,
        records=tuple(records.values()),
        additional=(*chain.from_iterable(glue.values()), *extra),
    )


def _svcb(
    question: Question, instance: Instance, target: bytes, packed: bytes | None
) -> Record | None:
    """Return priority 1, target, ``alpn``, ``port`` and a hint (RFC 9460 2.2), or None."""
    protocols = [p.strip() for p in instance.meta.get(ALPN, "").split(",") if p.strip()]
    if not protocols and not question.site.svcb:
        return None
    data = b"".join(
        bytes((len(octets),)) + octets
        for octets in (protocol.encode() for protocol in protocols)
        if len(octets) <= _LONGEST_STRING
    )
    after = pack(">HH", _KEY_ALPN, len(data)) + data if data else b""
    after += pack(">HHH", _KEY_PORT, 2, instance.port)
    if packed is not None:
        after += pack(">HH", _HINTS[len(packed)], len(packed)) + packed
    return Record(question.qtype, 0, pack(">H", 1), (target,), after)


def _target(
    question: Question, instance: Instance, packed: bytes | None, address: str
) -> bytes | None:
    """Return a name that resolves here to the instance's address."""
    if packed is None:
        return host_name(address)
    if not instance.address:
        name = node_name(question, names.fold(instance.node))
        if name is not None:
            return name
    return _address_name(packed, local_labels(question))


@lru_cache(maxsize=16384)
def _address_name(packed: bytes, local: names.Labels) -> bytes:
    return names.wire_name((packed.hex().encode(), b"addr", *local))


# --- TXT -------------------------------------------------------------------------------------


def texts(meta: Mapping[str, str], ttl: int, owner: bytes | None = None) -> Iterable[Record]:
    """Yield a TXT record per pair (RFC 1464), in the order of the keys, each once.

    A key that begins with ``rfc1035-`` gives the bare value. What one record cannot hold is left
    out.
    """
    for key in sorted(meta):
        text = meta[key] if key.lower().startswith(_BARE) else f"{_quoted(key)}={meta[key]}"
        octets = text.encode("utf-8", "surrogateescape")
        parts = [octets[at : at + _LONGEST_STRING] for at in range(0, len(octets), _LONGEST_STRING)]
        data = b"".join(bytes((len(part),)) + part for part in parts or [b""])
        if len(data) <= 65535:
            yield Record(codes.TXT, ttl, data, owner=owner)


def _quoted(key: str) -> str:
    """Return an attribute name with what would end it quoted (RFC 1464 2)."""
    return key.replace("`", "``").replace("=", "`=")


def _node_texts(question: Question, nodes: Iterable[str]) -> Iterable[Record]:
    for name in nodes:
        folded = names.fold(name)
        node = question.reading.node(folded)
        if node is not None and node.meta and (owner := node_name(question, folded)) is not None:
            yield from texts(node.meta, question.site.node_ttl, owner)
