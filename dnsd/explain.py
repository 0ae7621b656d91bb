"""Why a question gets the answer it gets: which instances are named and which are left out. Pure.

For people (``pinnace dig``), never in the query path.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from dnsd import codes, names, reverse
from dnsd.site import Site
from dnsd.view import View, folded_tags, host_name, packed_address
from sidecar.catalog.model import Instance, Status
from sidecar.catalog.query import address_of

__all__ = ["Explanation", "LeftOut", "explain"]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An instance of the service that the answer does not name; ``reason`` says why."""

    instance: Instance
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a name was taken for, and what that selected.

    ``zone`` is empty for a name that is in none of ours; ``asked`` is one sentence for people.
    """

    zone: str
    asked: str
    named: tuple[Instance, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def explain(view: View, site: Site, name: bytes, qtype: int) -> Explanation:
    """Return why a folded wire name and a type get the answer they get from this view."""
    labels = names.labels_of(name)
    found = names.parse(labels, site.zones, site.datacenter)
    sky = site.sky_zone
    if sky is not None and found is None and labels[-len(sky.labels) :] == sky.labels:
        return Explanation(zone=sky.text, asked="all that stands at or below a SkyDNS path")
    if found is None:
        back = reverse.parse(labels)
        if back is not None:
            return Explanation(zone=back[0].text, asked="the names of an address")
        return Explanation(zone="", asked="a name in no zone that is served here")
    zone, subject = found
    match subject:
        case names.ServiceName(service, tag):
            tags = [subject.tag in folded_tags((i,)) for i in view.instances(service)]
            unless = subject.lenient and not any(tags)
            chosen = _Chosen(service, None if unless else tag)
        case names.InstanceName(id_, service):
            chosen = _Chosen(service, None, id_)
        case names.Virtual(service):
            chosen = _Chosen(service, None)
        case _:
            return Explanation(zone=zone.text, asked=_in_words(subject))
    named, left_out = _divided(view, site, chosen, qtype)
    return Explanation(zone=zone.text, asked=_in_words(subject), named=named, left_out=left_out)


class _Chosen(NamedTuple):
    """Which instances a name is about."""

    service: bytes
    tag: bytes | None
    id: bytes = b""


def _divided(
    view: View, site: Site, chosen: _Chosen, qtype: int
) -> tuple[tuple[Instance, ...], tuple[LeftOut, ...]]:
    named: list[Instance] = []
    left_out: list[LeftOut] = []
    for instance in _members(view, chosen.service):
        reason = _reason(instance, view, site, chosen, qtype)
        if reason:
            left_out.append(LeftOut(instance, reason))
        else:
            named.append(instance)
    return tuple(named), tuple(left_out)


def _members(view: View, service: bytes) -> Iterator[Instance]:
    for name in view.services.get(service, ()):
        yield from view.snapshot.services[name]


def _reason(instance: Instance, view: View, site: Site, chosen: _Chosen, qtype: int) -> str:
    """Return why an instance is left out, or nothing."""
    if instance.draining:
        return "draining"
    if instance.status is Status.CRITICAL:
        return "critical"
    if site.only_passing and instance.status is not Status.PASSING:
        return f"{instance.status}, and only_passing is set"
    if chosen.tag is not None and chosen.tag not in folded_tags((instance,)):
        return f"has no tag {_text(chosen.tag)}"
    if chosen.id and names.fold(instance.id) != chosen.id:
        return "has another id"
    return _unfit(instance, address_of(instance, view.snapshot.nodes), qtype)


def _unfit(instance: Instance, address: str, qtype: int) -> str:
    """Return what keeps an instance in good health from having such a record, or nothing."""
    packed = packed_address(address)
    if packed is None and host_name(address) is None:
        return f"its address is neither an IP address nor a name: {address!r}"
    if qtype == codes.SRV and not 0 <= instance.port <= 65535:
        return f"port {instance.port} is no port"
    size = {codes.A: 4, codes.AAAA: 16}.get(qtype)
    if size is not None and packed is not None and len(packed) != size:
        return f"{address} is no {codes.TYPE_NAMES[qtype]} address"
    return ""


_WORDS: Final[Mapping[type[names.Subject], str]] = {
    names.Address: "an address spelled in hex",
    names.Apex: "the zone itself",
    names.Ns: "this server",
    names.Nothing: "no name of this grammar",
}


def _in_words(subject: names.Subject) -> str:
    match subject:
        case names.ServiceName(service, tag):
            text = f"service {_text(service)}"
            return text if tag is None else f"{text}, tag {_text(tag)}"
        case names.NodeName(name):
            return f"node {_text(name)}"
        case names.InstanceName(id_, service):
            return f"instance {_text(id_)} of service {_text(service)}"
        case names.Virtual(service):
            return f"the virtual address of service {_text(service)}"
        case names.Mesh(kind, service):
            return f"what takes {_text(kind)} connections for service {_text(service)}"
        case _:
            return _WORDS.get(type(subject), "a name that only stands above others")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "backslashreplace")
