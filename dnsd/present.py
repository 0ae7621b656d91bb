"""Records as people write them (RFC 1035 5.1, RFC 3597). Pure."""

from ipaddress import ip_address
from struct import unpack

from dnsd import codes
from dnsd.names import fold, labels_of, wire_name
from dnsd.records import Record

__all__ = ["data_of", "name_text", "question_of", "type_number", "type_text"]

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*/")
_TXT = 16
_TYPES = {**codes.TYPE_NAMES, 5: "CNAME", 13: "HINFO"}


def name_text(name: bytes) -> str:
    """Return a wire name as text that leads back to it."""
    return "".join(_label(label) + "." for label in labels_of(name)) or "."


def _label(label: bytes) -> str:
    return "".join(
        chr(octet)
        if octet in _PLAIN
        else (f"\\{chr(octet)}" if 33 <= octet <= 126 else f"\\{octet:03}")
        for octet in label
    )


def type_text(number: int) -> str:
    """Return the name of a type."""
    return _TYPES.get(number) or f"TYPE{number}"


def type_number(text: str) -> int:
    """Return the number of a type; raises ValueError."""
    wanted = text.upper()
    found = {name: number for number, name in _TYPES.items()}.get(wanted)
    if found is None and wanted.startswith("TYPE") and wanted[4:].isdigit():
        found = int(wanted[4:])
    if found is None or not 0 < found < 65536:
        raise ValueError(f"{text!r} is no type of DNS records")
    return found


def question_of(name: str, type_: str) -> tuple[tuple[bytes, ...], bytes, int]:
    """Return a name's labels and wire form, and the number of a type; raises ValueError."""
    bare = name.removesuffix(".")
    labels = tuple(fold(bare).split(b".")) if bare else ()
    return labels, wire_name(labels), type_number(type_)


def data_of(record: Record) -> str:
    """Return the data of a record."""
    names = [name_text(name) for name in record.names]
    match record.type:
        case codes.A | codes.AAAA if len(record.before) in {4, 16}:
            return str(ip_address(record.before))
        case codes.SOA if len(record.after) == 20:
            return " ".join([*names, *map(str, unpack(">IIIII", record.after))])
        case codes.SRV if len(record.before) == 6:
            return " ".join([*map(str, unpack(">HHH", record.before)), *names])
        case codes.HINFO | 16:
            return " ".join(_strings(record.before))
    if names and not record.before and not record.after:
        return " ".join(names)
    data = record.before + b"".join(record.names) + record.after
    return f"\\# {len(data)} {data.hex()}"


def _strings(data: bytes) -> list[str]:
    found = []
    at = 0
    while at < len(data):
        size = data[at]
        text = data[at + 1 : at + 1 + size]
        shown = "".join(chr(o) if 32 <= o <= 126 and o not in b'"\\' else f"\\{o:03}" for o in text)
        found.append(f'"{shown}"')
        at += 1 + size
    return found
