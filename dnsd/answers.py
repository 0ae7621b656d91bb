"""Snapshot x question -> Answer: which names exist and what records they have. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from struct import pack
from typing import Final

from dnsd import codes, names
from dnsd.names import Zone
from dnsd.records import Answer, Record
from dnsd.view import View, folded_tags, host_name, packed_address
from sidecar.catalog.model import Instance

__all__ = ["Site", "answer", "refusal"]

_CHAIN_LIMIT: Final = 8
_SOA_TIMES: Final = (3600, 600, 86400, 0)
"""Refresh, retry, expire, minimum: Consul's defaults. The minimum is the negative TTL."""
_MINIMAL_ANY: Final = b"\x07RFC8482\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the answers need besides the catalogue. ``zones`` stand longest first."""

    zones: tuple[Zone, ...]
    datacenter: bytes
    node: bytes
    addresses: tuple[bytes, ...]
    ttl: int = 0
    only_passing: bool = False
    payload: int = 1232  # the most octets of a UDP reply


@dataclass(frozen=True, slots=True)
class _Question:
    """One question within a zone of ours, and what answers it."""

    site: Site
    view: View
    zone: Zone
    name: bytes
    qtype: int
    serial: int
    seen: frozenset[bytes] = frozenset()


def refusal(qtype: int, qclass: int, *, over_udp: bool) -> Answer | None:
    """Return the error for types and classes that are no questions to a zone, or None."""
    if qtype == codes.OPT:
        return Answer(codes.FORMERR)
    if qtype in {codes.TSIG, codes.TKEY, codes.MAILA, codes.MAILB}:
        return Answer(codes.NOTIMP)
    if qtype == codes.AXFR and over_udp:
        return Answer(codes.FORMERR)  # RFC 5936 4.2
    if qtype in {codes.AXFR, codes.IXFR}:
        return Answer(codes.REFUSED)
    if qclass == codes.CLASS_IN or (qclass == codes.CLASS_ANY and qtype == codes.ANY):
        return None
    return Answer(codes.REFUSED)


def answer(view: View, site: Site, name: bytes, qtype: int, *, serial: int, synced: bool) -> Answer:
    """Return the answer for a folded wire name, from this view alone.

    While the catalogue is not ``synced``, nothing may be called absent: SERVFAIL.
    """
    found = names.parse(names.labels_of(name), site.zones, site.datacenter)
    if found is None:
        return Answer(codes.REFUSED, error=codes.EDE_NOT_AUTHORITATIVE)
    zone, subject = found
    reply = _resolve(_Question(site, view, zone, name, qtype, serial), subject)
    if reply.rcode == codes.NXDOMAIN and not synced:
        return Answer(codes.SERVFAIL, zone, error=codes.EDE_NOT_READY)
    return reply


def _resolve(question: _Question, subject: names.Subject) -> Answer:
    match subject:
        case names.ServiceName():
            return _service(question, subject)
        case names.NodeName(name):
            return _node(question, name)
        case names.Address(packed):
            return _addresses(question, {packed: 1})
        case names.Apex():
            return _apex(question)
        case names.Ns():
            return _addresses(question, dict.fromkeys(_own_addresses(question), 1))
        case _:
            return _absent(question, exists=_is_empty(question.view, subject))


def _is_empty(view: View, subject: names.Subject) -> bool:
    if isinstance(subject, names.TagPrefix):
        return _has_tag(view, subject.tag)
    return isinstance(subject, names.Empty)


# --- services --------------------------------------------------------------------------------


def _service(question: _Question, asked: names.ServiceName) -> Answer:
    members = question.view.instances(asked.service)
    chosen = members
    if asked.tag is not None:
        chosen = tuple(i for i in members if asked.tag in folded_tags((i,)))
        if not chosen and asked.lenient:
            chosen = members
    if not chosen:
        return _absent(question, exists=_has_names_below(question.view, asked, members))
    if asked.srv_only and question.qtype != codes.SRV:
        return _other(question)
    if question.qtype == codes.SRV:
        return _srv(question, chosen)
    weights: dict[bytes, int] = {}
    aliases: list[bytes] = []
    for instance in chosen:
        address = _address_of(question.view, instance)
        if (packed := packed_address(address)) is not None:
            weights[packed] = weights.get(packed, 0) + _weight(instance)
        elif (alias := host_name(address)) is not None:
            aliases.append(alias)
    return _addresses(question, weights, aliases)


def _has_names_below(view: View, asked: names.ServiceName, members: tuple[Instance, ...]) -> bool:
    """Say whether the name is an empty non-terminal: of a dotted tag, or of ``_<tag>.service``."""
    if asked.tag is None:
        return asked.service[:1] == b"_" and _has_tag(view, asked.service[1:])
    inner = b"." + asked.tag
    return any(tag.endswith(inner) for tag in folded_tags(members))


def _has_tag(view: View, tag: bytes) -> bool:
    if tag in {b"tcp", b"udp"}:
        return view.any_instance()
    return bool(tag) and tag in view.tags


def _weight(instance: Instance) -> int:
    return min(max(instance.weight, 1), 65535)


def _address_of(view: View, instance: Instance) -> str:
    """Return the instance's own address, else its node's."""
    if instance.address:
        return instance.address
    node = view.nodes.get(names.fold(instance.node))
    return node.address if node is not None else ""


def _srv(question: _Question, chosen: Iterable[Instance]) -> Answer:
    """Answer one record per distinct target and port, and each target's addresses once."""
    records: dict[tuple[bytes, int], Record] = {}
    glue: dict[bytes, Record] = {}
    for instance in chosen:
        if not 0 <= instance.port <= 65535:
            continue
        address = _address_of(question.view, instance)
        packed = packed_address(address)
        target = _target(question, instance, packed, address)
        if target is None or (target, instance.port) in records:
            continue
        before = pack(">HHH", 1, _weight(instance), instance.port)
        records[target, instance.port] = Record(
            codes.SRV, question.site.ttl, before, (target,), weight=_weight(instance)
        )
        if packed is not None and target not in glue:
            glue[target] = _address_record(question.site.ttl, packed, owner=target)
    if not records:
        return _other(question)
    return Answer(
        codes.NOERROR,
        question.zone,
        records=tuple(records.values()),
        additional=tuple(glue.values()),
    )


def _target(
    question: _Question, instance: Instance, packed: bytes | None, address: str
) -> bytes | None:
    """Return a name that resolves here to the instance's address."""
    if packed is None:
        return host_name(address)
    if not instance.address:
        name = _node_wire(question, names.fold(instance.node))
        if name is not None:
            return name
    return names.wire_name((packed.hex().encode(), b"addr", *_local(question)))


def _local(question: _Question) -> names.Labels:
    return (question.site.datacenter, *question.zone.labels)


def _node_wire(question: _Question, node: bytes) -> bytes | None:
    try:
        return names.wire_name((*node.split(b"."), b"node", *_local(question)))
    except ValueError:
        return None


# --- nodes, addresses, the zone itself -------------------------------------------------------


def _node(question: _Question, name: bytes) -> Answer:
    node = question.view.nodes.get(name)
    if node is None:
        return _absent(question, exists=question.view.has_node_below(name))
    packed = packed_address(node.address)
    if packed is not None:
        return _addresses(question, {packed: 1})
    alias = host_name(node.address)
    return _addresses(question, {}, [] if alias is None else [alias])


def _addresses(
    question: _Question, weights: dict[bytes, int], aliases: Iterable[bytes] = ()
) -> Answer:
    """Answer with the addresses of the family asked for; a CNAME only when there are none."""
    qtype = codes.A if question.qtype == codes.ANY else question.qtype
    if qtype in {codes.A, codes.AAAA}:
        size = 4 if qtype == codes.A else 16
        ttl = question.site.ttl
        records = tuple(
            _address_record(ttl, packed, weight=weight)
            for packed, weight in weights.items()
            if len(packed) == size
        )
        if records:
            return Answer(codes.NOERROR, question.zone, records=records)
        if (alias := next(iter(aliases), None)) is not None:
            return _follow(question, alias)
    return _other(question)


def _follow(question: _Question, alias: bytes) -> Answer:
    """Answer with a CNAME and, in our zones, what it leads to (at most 8, no loop)."""
    link = Record(codes.CNAME, question.site.ttl, names=(alias,))
    found = names.parse(names.labels_of(alias), question.site.zones, question.site.datacenter)
    seen = question.seen | {question.name}
    if found is None or alias in seen or len(seen) >= _CHAIN_LIMIT:
        return Answer(codes.NOERROR, question.zone, (link,))
    zone, subject = found
    step = _resolve(replace(question, zone=zone, name=alias, seen=seen), subject)
    return Answer(
        codes.NOERROR,
        question.zone,
        (link, *_owned(step.chain, alias)),
        _owned(step.records, alias),
    )


def _owned(records: Iterable[Record], owner: bytes) -> tuple[Record, ...]:
    """Return records with the owner written out, where it was the name asked for."""
    return tuple(r if r.owner is not None else r._replace(owner=owner) for r in records)


def _address_record(
    ttl: int, packed: bytes, *, owner: bytes | None = None, weight: int = 1
) -> Record:
    kind = codes.A if len(packed) == 4 else codes.AAAA
    return Record(kind, ttl, packed, owner=owner, weight=weight)


def _own_addresses(question: _Question) -> tuple[bytes, ...]:
    """Return where this server listens, else its node's address."""
    if question.site.addresses:
        return question.site.addresses
    node = question.view.nodes.get(question.site.node)
    packed = packed_address(node.address) if node is not None else None
    return () if packed is None else (packed,)


def _apex(question: _Question) -> Answer:
    if question.qtype not in {codes.SOA, codes.NS}:
        return _other(question)
    server, addresses = _name_server(question)
    records = (Record(codes.NS, question.site.ttl, names=(server,)),)
    glue = tuple(_address_record(question.site.ttl, a, owner=server) for a in addresses)
    if question.qtype == codes.NS:
        return Answer(codes.NOERROR, question.zone, records=records, additional=glue)
    soa = _soa(question, owner=None)
    return Answer(
        codes.NOERROR,
        question.zone,
        records=(soa,),
        authority=_owned(records, question.zone.wire),
        additional=glue,
    )


def _name_server(question: _Question) -> tuple[bytes, tuple[bytes, ...]]:
    """Return our node's name when the catalogue can resolve it, else ``ns``."""
    node = question.view.nodes.get(question.site.node)
    packed = packed_address(node.address) if node is not None else None
    wire = _node_wire(question, question.site.node)
    if packed is not None and wire is not None:
        return wire, (packed,)
    return names.wire_name((b"ns", *question.zone.labels)), _own_addresses(question)


def _soa(question: _Question, *, owner: bytes | None) -> Record:
    zone = question.zone.labels
    return Record(
        codes.SOA,
        _SOA_TIMES[3],
        names=(names.wire_name((b"ns", *zone)), names.wire_name((b"hostmaster", *zone))),
        after=pack(">IIIII", question.serial, *_SOA_TIMES),
        owner=owner,
    )


# --- negative answers ------------------------------------------------------------------------


def _other(question: _Question) -> Answer:
    """Answer a type that an existing name lacks; ANY gets the smallest thing (RFC 8482)."""
    if question.qtype == codes.ANY:
        hinfo = Record(codes.HINFO, question.site.ttl, _MINIMAL_ANY)
        return Answer(codes.NOERROR, question.zone, records=(hinfo,))
    return _absent(question, exists=True)


def _absent(question: _Question, *, exists: bool) -> Answer:
    """Answer NODATA or NXDOMAIN, with the SOA that says how long that holds (RFC 2308)."""
    return Answer(
        codes.NOERROR if exists else codes.NXDOMAIN,
        question.zone,
        authority=(_soa(question, owner=question.zone.wire),),
    )
