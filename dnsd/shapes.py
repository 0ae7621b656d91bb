"""An answer made into a slightly different one. Pure."""

from collections.abc import Sequence
from math import log
from typing import Final

from dnsd.bodies import Draw
from dnsd.records import Answer, Record

__all__ = ["nearest_first", "shuffled", "with_ttl_of_at_most"]

_NETWORK: Final = {4: 3, 16: 8}
"""Octets of an address that name its network: /24 and /64, what one link usually has."""


def with_ttl_of_at_most(answer: Answer, most: int) -> Answer:
    """Return the answer with no TTL above this."""

    def capped(records: Sequence[Record]) -> tuple[Record, ...]:
        return tuple(r if r.ttl <= most else r._replace(ttl=most) for r in records)

    return answer._replace(
        chain=capped(answer.chain),
        records=capped(answer.records),
        authority=capped(answer.authority),
        additional=capped(answer.additional),
    )


def shuffled(answer: Answer, draw: Draw) -> Answer:
    """Return the answer with its records in weighted random order."""
    arrival = {record: -log(1.0 - draw()) / record.weight for record in answer.records}
    return answer._replace(records=tuple(sorted(answer.records, key=arrival.__getitem__)))


def nearest_first(answer: Answer, client: bytes) -> Answer:
    """Return the answer with the addresses in the client's network first, else as they stand."""
    size = len(client)
    near = client[: _NETWORK.get(size, 0)]
    if not near:
        return answer
    far = [not (len(r.before) == size and r.before.startswith(near)) for r in answer.records]
    order = sorted(range(len(far)), key=far.__getitem__)
    return answer._replace(records=tuple(answer.records[at] for at in order))
