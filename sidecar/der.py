"""ASN.1's DER, as much of it as key stores and certificates need. Pure."""

from typing import NamedTuple

__all__ = ["Der", "children", "oid_of", "read_der"]


class Der(NamedTuple):
    """One value: its tag, its content, and the whole of it."""

    tag: int
    body: bytes
    raw: bytes

    @property
    def number(self) -> int:
        """The content as a whole number."""
        return int.from_bytes(self.body, "big", signed=True)


def read_der(data: bytes, at: int = 0) -> Der:
    """Return the value that begins at ``at``. Raises ValueError."""
    if at + 2 > len(data):
        raise ValueError("a value of ASN.1 is cut short")
    size, start = data[at + 1], at + 2
    if size == 0x80:
        raise ValueError("a value of ASN.1 has no length (BER, not DER)")
    if size > 0x80:
        count = size & 0x7F
        size = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + size > len(data):
        raise ValueError("a value of ASN.1 is cut short")
    return Der(data[at], data[start : start + size], data[at : start + size])


def children(body: bytes) -> list[Der]:
    """Return the values that follow each other in a content. Raises ValueError."""
    found, at = [], 0
    while at < len(body):
        found.append(read_der(body, at))
        at += len(found[-1].raw)
    return found


def oid_of(value: Der) -> str:
    """Return an object identifier as dotted numbers."""
    body = value.body
    numbers, number = [], 0
    for byte in body:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2) if numbers else 0
    return ".".join(map(str, [first, numbers[0] - 40 * first, *numbers[1:]])) if numbers else ""
