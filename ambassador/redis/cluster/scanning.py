"""Cursors of SCAN over several nodes: the node is part of the cursor. Pure.

A node's mark follows from its address alone, so that a cursor means the same to every worker and
after a restart. Nodes are scanned in the order of their marks.
"""

from binascii import crc_hqx
from collections.abc import Iterable, Mapping
from typing import Final

from ambassador.frame.address import Address
from ambassador.redis.resp import bulk

__all__ = ["cursor_in", "joined", "marks", "next_mark", "parted", "with_cursor"]

_MARKS: Final = 16384


def marks(addresses: Iterable[Address]) -> Mapping[int, Address]:
    """Return the nodes by their marks, 1 to 16383; where two would have the same, the next."""
    found: dict[int, Address] = {}
    for address in sorted(addresses):
        mark = 1 + crc_hqx(str(address).encode(), 0) % (_MARKS - 1)
        while mark in found:
            mark = mark % (_MARKS - 1) + 1
        found[mark] = address
    return found


def joined(cursor: int, mark: int) -> int:
    """Return the cursor that a client gets."""
    return cursor * _MARKS + mark


def parted(cursor: int) -> tuple[int, int]:
    """Return a node's cursor and its mark."""
    return divmod(cursor, _MARKS)


def next_mark(known: Iterable[int], mark: int) -> int:
    """Return the mark that follows; 0: it was the last."""
    return min((one for one in known if one > mark), default=0)


def with_cursor(reply: bytes, cursor: int) -> bytes:
    """Return a reply to SCAN with another cursor."""
    at = reply.index(b"\r\n", reply.index(b"\r\n") + 2) + 2  # behind *2 and the length
    end = reply.index(b"\r\n", at) + 2
    return b"*2\r\n" + bulk(b"%d" % cursor) + reply[end:]


def cursor_in(reply: bytes) -> int | None:
    """Return the cursor in a reply to SCAN; None for an error."""
    if not reply.startswith(b"*2\r\n$"):
        return None
    word = reply.split(b"\r\n", 3)[2]
    return int(word) if word.isdigit() else None
