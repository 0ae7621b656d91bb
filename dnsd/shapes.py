"""An answer made into a slightly different one. Pure."""

from collections.abc import Sequence
from math import log

from dnsd.bodies import Draw
from dnsd.records import Answer, Record

__all__ = ["shuffled", "with_ttl_of_at_most"]


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
