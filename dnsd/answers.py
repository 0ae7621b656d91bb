"""Snapshot x question -> Answer: which names exist and what records they have. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from struct import pack
from typing import Final

from dnsd import codes, names
from dnsd.authority import (
    Question,
    Site,
    absent,
    address_record,
    apex,
    local_labels,
    node_name,
    other,
    own_addresses,
    owned,
)
from dnsd.records import Answer, Record
from dnsd.view import View, folded_tags, host_name, packed_address
from sidecar.catalog.model import Instance, Status
from sidecar.catalog.query import address_of

__all__ = ["answer", "refusal"]

_CHAIN_LIMIT: Final = 8


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
    reply = _resolve(Question(site, view, zone, name, qtype, serial), subject)
    if reply.rcode == codes.NXDOMAIN and not synced:
        return Answer(codes.SERVFAIL, zone, error=codes.EDE_NOT_READY)
    return reply


def _resolve(question: Question, subject: names.Subject) -> Answer:
    match subject:
        case names.ServiceName():
            return _service(question, subject)
        case names.NodeName(name):
            return _node(question, name)
        case names.Address(packed):
            return _addresses(question, {packed: 1})
        case names.Apex():
            return apex(question)
        case names.Ns():
            return _addresses(question, dict.fromkeys(own_addresses(question), 1))
        case _:
            return absent(question, exists=_is_empty(question.view, subject))


def _is_empty(view: View, subject: names.Subject) -> bool:
    if isinstance(subject, names.TagPrefix):
        return _has_tag(view, subject.tag)
    return isinstance(subject, names.Empty)


# --- services --------------------------------------------------------------------------------


def _service(question: Question, asked: names.ServiceName) -> Answer:
    members = question.view.instances(asked.service)
    chosen = members
    if asked.tag is not None:
        chosen = tuple(i for i in members if asked.tag in folded_tags((i,)))
        if not chosen and asked.lenient:
            chosen = members
    if not chosen:
        return absent(question, exists=_has_names_below(question.view, asked, members))
    if asked.srv_only and question.qtype != codes.SRV:
        return other(question)
    if question.qtype == codes.SRV:
        return _srv(question, chosen)
    weights: dict[bytes, int] = {}
    aliases: list[bytes] = []
    for instance in chosen:
        address = address_of(instance, question.view.snapshot.nodes)
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
    """Return the weight its state gives it: at least 1, as 0 means "no server" to some clients."""
    is_warning = instance.status is Status.WARNING
    weight = instance.warning_weight if is_warning else instance.weight
    return min(max(weight, 1), 65535)


def _srv(question: Question, chosen: Iterable[Instance]) -> Answer:
    """Answer one record per distinct target and port, and each target's addresses once."""
    records: dict[tuple[bytes, int], Record] = {}
    glue: dict[bytes, Record] = {}
    for instance in chosen:
        if not 0 <= instance.port <= 65535:
            continue
        address = address_of(instance, question.view.snapshot.nodes)
        packed = packed_address(address)
        target = _target(question, instance, packed, address)
        if target is None or (target, instance.port) in records:
            continue
        before = pack(">HHH", 1, _weight(instance), instance.port)
        records[target, instance.port] = Record(
            codes.SRV, question.site.ttl, before, (target,), weight=_weight(instance)
        )
        if packed is not None and target not in glue:
            glue[target] = address_record(question.site.ttl, packed, owner=target)
    if not records:
        return other(question)
    return Answer(
        codes.NOERROR,
        question.zone,
        records=tuple(records.values()),
        additional=tuple(glue.values()),
    )


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


# --- nodes, addresses, the zone itself -------------------------------------------------------


def _node(question: Question, name: bytes) -> Answer:
    node = question.view.nodes.get(name)
    if node is None:
        return absent(question, exists=question.view.has_node_below(name))
    packed = packed_address(node.address)
    if packed is not None:
        return _addresses(question, {packed: 1})
    alias = host_name(node.address)
    return _addresses(question, {}, [] if alias is None else [alias])


def _addresses(
    question: Question, weights: dict[bytes, int], aliases: Iterable[bytes] = ()
) -> Answer:
    """Answer with the addresses of the family asked for; a CNAME only when there are none."""
    qtype = codes.A if question.qtype == codes.ANY else question.qtype
    if qtype in {codes.A, codes.AAAA}:
        size = 4 if qtype == codes.A else 16
        ttl = question.site.ttl
        records = tuple(
            address_record(ttl, packed, weight=weight)
            for packed, weight in weights.items()
            if len(packed) == size
        )
        if records:
            return Answer(codes.NOERROR, question.zone, records=records)
        if (alias := next(iter(aliases), None)) is not None:
            return _follow(question, alias)
    return other(question)


def _follow(question: Question, alias: bytes) -> Answer:
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
        (link, *owned(step.chain, alias)),
        owned(step.records, alias),
    )
