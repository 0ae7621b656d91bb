"""Snapshot x question -> Answer: which names exist and what records they have. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from dnsd import codes, names, reverse, sky
from dnsd.authority import (
    Question,
    absent,
    address_record,
    apex,
    other,
    own_addresses,
    owned,
)
from dnsd.lapsing import kept_for
from dnsd.pointers import pointers
from dnsd.reading import Reading
from dnsd.records import Answer, Record
from dnsd.services import TARGETED, Found, found_in, targeted, texts, weighed
from dnsd.site import Site
from dnsd.view import CONNECT, INGRESS, View, folded_tags, packed_address
from dnsd.view import host_name as host_name_of
from sidecar.catalog.model import Instance

__all__ = ["answer", "chaos", "refusal"]

_CHAIN_LIMIT: Final = 8
_ADDRESSED: Final = frozenset((codes.A, codes.AAAA, codes.CNAME, codes.ANY))
_MARKS: Final = {b"connect": CONNECT, b"ingress": INGRESS}
_VIRTUAL: Final = ("virtual", "consul-virtual")
"""Names of tagged addresses that stand for a whole service (Consul's)."""


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


def chaos(site: Site, name: bytes, qtype: int) -> Answer:
    """Return what we say of ourselves in class CH (RFC 4892): what the settings allow."""
    text = {
        b"\7version\4bind\0": site.version,
        b"\7version\6server\0": site.version,
        b"\2id\6server\0": site.nsid,
        b"\x08hostname\4bind\0": site.nsid,
    }.get(name)
    octets = text.encode()[:255] if text else b""
    if not octets or qtype not in {codes.TXT, codes.ANY}:
        return Answer(codes.REFUSED)
    record = Record(codes.TXT, 0, bytes((len(octets),)) + octets, rclass=codes.CLASS_CHAOS)
    return Answer(codes.NOERROR, records=(record,))


def answer(
    reading: Reading, site: Site, name: bytes, qtype: int, *, serial: int, synced: bool
) -> Answer:
    """Return the answer for a folded wire name, from this reading alone.

    While the catalogue is not ``synced``, nothing may be called absent: SERVFAIL.
    """
    labels = names.labels_of(name)
    question = Question(site, reading, site.home, name, qtype, serial)
    reply = _in_zones(question)
    if reply is None:
        back = reverse.parse(labels)
        if back is None:
            return Answer(codes.REFUSED, error=codes.EDE_NOT_AUTHORITATIVE)
        place = back[0]._replace(home=site.home.labels)
        reply = pointers(replace(question, zone=place), back[1])
    if reply.rcode == codes.NXDOMAIN and not synced:
        return Answer(codes.SERVFAIL, reply.zone, error=codes.EDE_NOT_READY)
    return reply


def _in_zones(question: Question) -> Answer | None:
    """Return the answer from the zone that the question's name is in, None for no zone of ours."""
    site = question.site
    labels = names.labels_of(question.name)
    found = names.parse(labels, site.zones, site.datacenter)
    if (in_sky := _in_sky(labels, site, found)) is not None:
        return sky.answer(replace(question, zone=in_sky), follow)
    if found is None:
        return None
    zone, subject = found
    return _resolve(replace(question, zone=zone), subject)


def _in_sky(
    labels: names.Labels, site: Site, found: tuple[names.Zone, names.Subject] | None
) -> names.Zone | None:
    """Return the SkyDNS zone if the name is in it, and in no longer zone."""
    zone = site.sky_zone
    if zone is None or labels[max(len(labels) - len(zone.labels), 0) :] != zone.labels:
        return None
    return None if found is not None and len(found[0].labels) > len(zone.labels) else zone


def _resolve(question: Question, subject: names.Subject) -> Answer:
    site = question.site
    match subject:
        case names.ServiceName():
            reply = _service(question, subject)
        case names.NodeName(name):
            reply = _node(question, name)
        case names.Address(packed):
            reply = _addresses(question, {packed: 1}, site.node_ttl)
        case names.Apex():
            reply = apex(question)
        case names.Ns():
            own = dict.fromkeys(own_addresses(question), 1)
            reply = _addresses(question, own, site.node_ttl)
        case names.InstanceName():
            reply = _instance(question, subject)
        case names.Virtual(service):
            reply = _virtual(question, service)
        case names.Mesh(kind, service):
            reply = _mesh(question, kind, service)
        case _:
            reply = absent(question, exists=_is_empty(question, subject))
    return reply


def _is_empty(question: Question, subject: names.Subject) -> bool:
    match subject:
        case names.TagPrefix(tag):
            return _has_tag(question.reading.everything, tag)
        case names.KindWord(b"instance"):
            return question.site.instance_names
        case names.KindWord(b"virtual"):
            view = question.reading.everything
            return any(key in i.tagged for n in view.services for i in view.instances(n)
                       for key in _VIRTUAL)  # fmt: skip
        case names.KindWord(kind):
            return any(key == _MARKS[kind] for key, _ in question.reading.everything.marks)
        case _:
            return isinstance(subject, names.Empty)


# --- services --------------------------------------------------------------------------------


def _service(question: Question, asked: names.ServiceName) -> Answer:
    members = question.reading.instances(asked.service)
    chosen = members
    if asked.tag is not None:
        chosen = tuple(i for i in members if asked.tag in folded_tags((i,)))
        if not chosen and asked.lenient:
            chosen = members
    if not chosen:
        return absent(question, exists=_exists_empty(question, asked, members))
    if asked.srv_only and question.qtype != codes.SRV:
        return other(question)
    return _of(question, chosen, asked.service)


def _of(question: Question, chosen: tuple[Instance, ...], service: bytes) -> Answer:
    """Answer from instances that are there."""
    ttl = kept_for(question.site.ttl_of(service), chosen)
    qtype = question.qtype
    if qtype in TARGETED:
        return targeted(question, weighed(chosen), ttl, _addresses_of)
    if qtype == codes.TXT and question.site.service_meta:
        records = {record: None for i in chosen for record in texts(i.meta, ttl)}
        if records:
            return Answer(codes.NOERROR, question.zone, records=tuple(records))
    if qtype not in _ADDRESSED:
        return other(question)
    found = found_in(question, weighed(chosen))
    return _addresses(question, found.weights, ttl, found.aliases)


def _exists_empty(
    question: Question, asked: names.ServiceName, members: tuple[Instance, ...]
) -> bool:
    """Say whether the name is an empty non-terminal, or a service that may be empty."""
    if asked.tag is None:
        if asked.service[:1] == b"_" and _has_tag(question.reading.everything, asked.service[1:]):
            return True
    elif any(tag.endswith(b"." + asked.tag) for tag in folded_tags(members)):
        return True
    return question.site.empty_exists and question.reading.is_known(asked.service)


def _has_tag(view: View, tag: bytes) -> bool:
    if tag in {b"tcp", b"udp"}:
        return view.any_instance()
    return bool(tag) and tag in view.tags


def _instance(question: Question, asked: names.InstanceName) -> Answer:
    if not question.site.instance_names:
        return absent(question, exists=False)
    members = question.reading.instances(asked.service)
    if not asked.id:
        return absent(question, exists=bool(members))
    chosen = tuple(i for i in members if names.fold(i.id) == asked.id)
    if chosen:
        return _of(question, chosen, asked.service)
    below = b"." + asked.id
    return absent(question, exists=any(names.fold(i.id).endswith(below) for i in members))


def _virtual(question: Question, service: bytes) -> Answer:
    for instance in question.reading.instances(service):
        for key in _VIRTUAL:
            packed = packed_address(instance.tagged.get(key, ("", 0))[0])
            if packed is not None:
                return _addresses(question, {packed: 1}, question.site.ttl_of(service))
    return absent(question, exists=False)


def _mesh(question: Question, kind: bytes, service: bytes) -> Answer:
    chosen = question.reading.everything.marks.get((_MARKS[kind], service), ())
    return _of(question, chosen, service) if chosen else absent(question, exists=False)


# --- nodes, addresses ------------------------------------------------------------------------


def _node(question: Question, name: bytes) -> Answer:
    node = question.reading.node(name)
    ttl = question.site.node_ttl
    if node is None:
        return absent(question, exists=question.reading.everything.has_node_below(name))
    if question.qtype == codes.TXT:
        records = tuple(texts(node.meta, ttl))
        if records:
            return Answer(codes.NOERROR, question.zone, records=records)
    found = Found()
    if (packed := packed_address(node.address)) is not None:
        found.weights[packed] = 1
    elif (alias := host_name_of(node.address)) is not None:
        found.aliases.append(alias)
    return _addresses(question, found.weights, ttl, found.aliases)


def _addresses(
    question: Question, weights: dict[bytes, int], ttl: int, aliases: Iterable[bytes] = ()
) -> Answer:
    """Answer with the addresses of the family asked for; a CNAME only when there are none."""
    qtype = codes.A if question.qtype == codes.ANY else question.qtype
    if qtype in {codes.A, codes.AAAA}:
        size = 4 if qtype == codes.A else 16
        records = tuple(
            [
                address_record(ttl, packed, weight=weight)
                for packed, weight in weights.items()
                if len(packed) == size
            ]
        )
        if records:
            return Answer(codes.NOERROR, question.zone, records=records)
    if qtype in {codes.A, codes.AAAA, codes.CNAME}:
        alias = next(iter(aliases), None)
        if alias is not None and not (qtype == codes.CNAME and weights):
            return follow(question, alias, ttl)
    return other(question)


def _addresses_of(question: Question, name: bytes) -> Iterable[Record]:
    """Yield the addresses of another name in our zones, if it has any of its own."""
    seen = question.seen | {question.name}
    for qtype in (codes.A, codes.AAAA):
        step = _in_zones(replace(question, name=name, qtype=qtype, seen=seen))
        if step is not None and not step.chain:
            yield from owned(step.records, name)


def follow(question: Question, alias: bytes, ttl: int) -> Answer:
    """Answer with a CNAME and, in our zones, what it leads to (at most 8, no loop).

    Where that is nothing, its code and its SOA are the answer's (RFC 6604 3, RFC 2308 2).
    """
    link = Record(codes.CNAME, ttl, names=(alias,))
    seen = question.seen | {question.name}
    step = None
    if alias not in seen and len(seen) < _CHAIN_LIMIT and question.qtype != codes.CNAME:
        step = _in_zones(replace(question, name=alias, seen=seen))
    if step is None:
        return Answer(codes.NOERROR, question.zone, (link,))
    return Answer(
        step.rcode,
        question.zone,
        (link, *owned(step.chain, alias)),
        owned(step.records, alias),
        owned(step.authority, alias),
    )
