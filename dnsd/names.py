"""What a question name asks for: Consul's DNS grammar. Pure; knows nothing of the catalogue.

Strip the zone, then look for the *rightmost* label that is a kind word (``service``, ``node``,
``addr`` ...). Labels left of it are the subject, those right of it the locality: nothing, the
datacenter, or ``<datacenter>.dc``. Names come in folded (RFC 4343: ASCII only), as raw labels.
A subject says only what is asked; whether it exists is up to ``dnsd.answers``.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

__all__ = [
    "Address",
    "Apex",
    "Empty",
    "InstanceName",
    "KindWord",
    "Labels",
    "Mesh",
    "NodeName",
    "Nothing",
    "Ns",
    "ServiceName",
    "Subject",
    "TagPrefix",
    "Virtual",
    "Zone",
    "fold",
    "labels_of",
    "parse",
    "text_of",
    "wire_name",
    "zone_of",
]

Labels = tuple[bytes, ...]


class Zone(NamedTuple):
    """A zone we serve. ``home`` is where its SOA says the server is, when that is elsewhere."""

    text: str
    labels: Labels
    wire: bytes
    home: Labels = ()


class Apex(NamedTuple):
    """The zone itself: SOA, NS."""


class Ns(NamedTuple):
    """``ns.<zone>``: this server."""


class ServiceName(NamedTuple):
    """Instances of a service, perhaps only those with a tag.

    ``lenient``: when no instance carries the tag, it is no filter (``_udp``). ``srv_only``: the
    name has SRV records and nothing else (RFC 2782 form without the word ``service``).
    """

    service: bytes
    tag: bytes | None = None
    lenient: bool = False
    srv_only: bool = False


class TagPrefix(NamedTuple):
    """``_<tag>.<zone>``: exists, empty, when an RFC 2782 name stands below it."""

    tag: bytes


class InstanceName(NamedTuple):
    """One instance of a service, by its id, which may hold dots."""

    id: bytes
    service: bytes


class Virtual(NamedTuple):
    """The one address that stands for a service."""

    service: bytes


class Mesh(NamedTuple):
    """What takes connections for a service: ``kind`` is ``connect`` or ``ingress``."""

    kind: bytes
    service: bytes


class KindWord(NamedTuple):
    """A kind word alone whose names exist only if the catalogue has such things."""

    kind: bytes


class NodeName(NamedTuple):
    """A node's address; node names may hold dots."""

    name: bytes


class Address(NamedTuple):
    """An address spelled in hex: 4 or 16 octets."""

    packed: bytes


class Empty(NamedTuple):
    """A name with names below it and no records (RFC 8020)."""


class Nothing(NamedTuple):
    """A name that cannot exist."""


Subject = (
    Apex
    | Ns
    | ServiceName
    | TagPrefix
    | InstanceName
    | Virtual
    | Mesh
    | KindWord
    | NodeName
    | Address
    | Empty
    | Nothing
)

_APEX: Final = Apex()
_NS: Final = Ns()
_EMPTY: Final = Empty()
_NOTHING: Final = Nothing()


def fold(text: str) -> bytes:
    """Return the octets of a catalogue name, ASCII letters in lower case."""
    return text.encode("utf-8", "surrogatepass").lower()


def labels_of(wire: bytes) -> Labels:
    """Return the labels of an uncompressed wire name, without the root."""
    labels = []
    at = 0
    while length := wire[at]:
        labels.append(wire[at + 1 : at + 1 + length])
        at += length + 1
    return tuple(labels)


def wire_name(labels: Sequence[bytes]) -> bytes:
    """Return the wire form of labels; raises ValueError when they make no name."""
    wire = b"".join(bytes((len(label),)) + label for label in labels if _fits(label)) + b"\0"
    if len(wire) > 255:
        raise ValueError("a name has at most 255 octets")
    return wire


def _fits(label: bytes) -> bool:
    if not 1 <= len(label) <= 63:
        raise ValueError("a label has 1 to 63 octets")
    return True


def text_of(labels: Sequence[bytes]) -> str:
    """Return labels as text with a final dot; only for people."""
    return ".".join(label.decode("utf-8", "backslashreplace") for label in labels) + "."


def zone_of(text: str) -> Zone:
    """Return the zone of a domain as people write it; raises ValueError."""
    bare = text.removesuffix(".")
    labels = tuple(fold(bare).split(b".")) if bare else ()
    return Zone(text_of(labels), labels, wire_name(labels))


def parse(labels: Labels, zones: Sequence[Zone], datacenter: bytes) -> tuple[Zone, Subject] | None:
    """Return the zone and what is asked for, or None when the name is in no zone of ours.

    ``zones`` stand longest first, so that the longest match wins.
    """
    for zone in zones:
        depth = len(labels) - len(zone.labels)
        if depth >= 0 and labels[depth:] == zone.labels:
            return zone, _subject(labels[:depth], datacenter)
    return None


def _subject(inner: Labels, datacenter: bytes) -> Subject:
    if not inner:
        return _APEX
    for at in range(len(inner) - 1, -1, -1):
        kind = _KINDS.get(inner[at])
        if kind is not None:
            local = inner[at + 1 :]
            if local in ((), (datacenter,), (datacenter, b"dc")):
                return kind(inner[:at])
            return _NOTHING
    return _without_kind(inner, datacenter)


def _without_kind(inner: Labels, datacenter: bytes) -> Subject:
    if inner == (b"ns",):
        return _NS
    if inner == (b"dc",):
        return _EMPTY
    rest = inner
    if rest[-2:] == (datacenter, b"dc"):
        rest = rest[:-2]
    elif rest[-1] == datacenter:
        rest = rest[:-1]
    if not rest:
        return _EMPTY
    if all(label[:1] == b"_" for label in rest):
        if len(rest) == 2:
            return _rfc2782(*rest, srv_only=True)
        if len(rest) == 1:
            return TagPrefix(rest[0][1:])
    return _NOTHING


def _service(subject: Labels) -> Subject:
    if not subject:
        return _EMPTY
    if len(subject) == 1:
        return ServiceName(subject[0])
    if len(subject) == 2 and subject[0][:1] == b"_" and subject[1][:1] == b"_":
        return _rfc2782(*subject)
    tag = subject[:-1]
    if any(b"." in label for label in tag):
        return _NOTHING  # a dot inside a label is not the dot between labels
    return ServiceName(subject[-1], b".".join(tag))


def _rfc2782(service: bytes, proto: bytes, *, srv_only: bool = False) -> Subject:
    tag = proto[1:]
    return ServiceName(
        service[1:], None if tag == b"tcp" else tag, lenient=tag == b"udp", srv_only=srv_only
    )


def _node(subject: Labels) -> Subject:
    if any(b"." in label for label in subject):
        return _NOTHING
    return NodeName(b".".join(subject)) if subject else _EMPTY


def _addr(subject: Labels) -> Subject:
    if not subject:
        return _EMPTY
    if len(subject) == 1 and len(subject[0]) in {8, 32} and set(subject[0]) <= _HEX:
        return Address(bytes.fromhex(subject[0].decode("ascii")))
    return _NOTHING


def _instance(subject: Labels) -> Subject:
    if len(subject) < 2:
        return KindWord(b"instance") if not subject else InstanceName(b"", subject[0])
    if any(b"." in label for label in subject[:-1]):
        return _NOTHING
    return InstanceName(b".".join(subject[:-1]), subject[-1])


def _virtual(subject: Labels) -> Subject:
    if len(subject) > 1:
        return _NOTHING
    return Virtual(subject[0]) if subject else KindWord(b"virtual")


def _mesh(kind: bytes, subject: Labels) -> Subject:
    if len(subject) > 1:
        return _NOTHING
    return Mesh(kind, subject[0]) if subject else KindWord(kind)


def _query(_: Labels) -> Subject:
    """Return nothing: the catalogue has no prepared queries."""
    return _NOTHING


_HEX: Final = frozenset(b"0123456789abcdef")
_KINDS: Final[Mapping[bytes, Callable[[Labels], Subject]]] = {
    b"service": _service,
    b"node": _node,
    b"addr": _addr,
    b"query": _query,
    b"connect": partial(_mesh, b"connect"),
    b"ingress": partial(_mesh, b"ingress"),
    b"virtual": _virtual,
    b"instance": _instance,
}
