"""Commands with keys in several slots, and replies of several nodes made one. Pure.

Replies are put together as bytes: RESP2 and RESP3 write the few kinds that occur alike.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from ambassador.redis.cluster.slots import slot_of
from ambassador.redis.replies import Replies
from ambassador.redis.resp import packed
from sidecar.errors import ProtocolError

__all__ = ["SPLITTABLE", "Part", "elements", "merged", "merged_by_policy", "parts_of"]

SPLITTABLE: Final[Mapping[str, int]] = {
    "mget": 1, "mset": 2, "del": 1, "unlink": 1, "exists": 1, "touch": 1,
}  # fmt: skip
"""Commands that may be split, and how many words each key has."""


class Part(NamedTuple):
    """What goes to one slot: a command, and which of the keys these are."""

    slot: int
    data: bytes
    places: tuple[int, ...]


def parts_of(name: str, words: Sequence[bytes]) -> list[Part]:
    """Return a command by slots, in the order of their first keys; none if it is cut short."""
    width = SPLITTABLE[name]
    if len(words) < 2 or (len(words) - 1) % width:
        return []
    slots: dict[int, list[int]] = {}
    for place, at in enumerate(range(1, len(words), width)):
        slots.setdefault(slot_of(words[at]), []).append(place)
    return [
        Part(
            slot,
            packed(words[0], *(
                word for place in places for word in words[1 + place * width :][:width]
            )),
            tuple(places),
        )
        for slot, places in slots.items()
    ]  # fmt: skip


def merged(name: str, parts: Sequence[Part], replies: Sequence[bytes]) -> bytes:
    """Return the reply to the whole command; an error of any part is the error of all."""
    wrong = _error(replies)
    if wrong:
        return wrong
    if name == "mset":
        return replies[0]
    if name != "mget":
        return _sum(replies)
    found: list[bytes] = [b""] * sum(len(part.places) for part in parts)
    for part, reply in zip(parts, replies, strict=True):
        for place, one in zip(part.places, elements(reply), strict=True):
            found[place] = one
    return b"*%d\r\n%b" % (len(found), b"".join(found))


def elements(reply: bytes) -> list[bytes]:
    """Return the elements of an array as they are written. Raises ProtocolError."""
    end = reply.find(b"\r\n") + 2
    if end < 2 or reply[:1] not in b"*~" or not reply[1 : end - 2].isdigit():
        raise ProtocolError("an array is expected")
    framer, at, found = Replies(), end, []
    for _ in range(int(reply[1 : end - 2])):
        next_at, _done = framer.take(reply, at, 1)
        found.append(reply[at:next_at])
        at = next_at
    return found


def _error(replies: Sequence[bytes]) -> bytes:
    return next((one for one in replies if one.startswith(b"-")), b"")


def _numbers(replies: Sequence[bytes]) -> list[int]:
    return [int(one[1:-2]) for one in replies]


def _sum(replies: Sequence[bytes]) -> bytes:
    return b":%d\r\n" % sum(_numbers(replies))


def _together(replies: Sequence[bytes]) -> bytes:
    """Return arrays as one; of other kinds the first that is not null."""
    if not all(reply.startswith(b"*") and not reply.startswith(b"*-") for reply in replies):
        known = (one for one in replies if not one.startswith((b"$-1", b"_", b"*-1")))
        return next(known, replies[0])
    found = [one for reply in replies for one in elements(reply)]
    return b"*%d\r\n%b" % (len(found), b"".join(found))


def _by(choose: Callable[[Sequence[int]], int]) -> Callable[[Sequence[bytes]], bytes]:
    """Return what chooses a number; of arrays it does so place by place."""

    def chosen(replies: Sequence[bytes]) -> bytes:
        if replies[0].startswith(b":"):
            return b":%d\r\n" % choose(_numbers(replies))
        columns = zip(*(elements(reply) for reply in replies), strict=True)
        found = [b":%d\r\n" % choose(_numbers(column)) for column in columns]
        return b"*%d\r\n%b" % (len(found), b"".join(found))

    return chosen


_POLICIES: Final[Mapping[str, Callable[[Sequence[bytes]], bytes]]] = {
    "agg_sum": _sum,
    "agg_min": _by(min),
    "agg_max": _by(max),
    "agg_logical_and": _by(lambda numbers: int(all(numbers))),
    "agg_logical_or": _by(lambda numbers: int(any(numbers))),
    "all_succeeded": lambda replies: replies[0],
    "": _together,
}


def merged_by_policy(policy: str, replies: Sequence[bytes]) -> bytes:
    """Return one reply for those of several nodes, as the command's ``response_policy`` says."""
    if policy == "one_succeeded":
        return next((one for one in replies if not one.startswith(b"-")), replies[0])
    return _error(replies) or _POLICIES.get(policy, _together)(replies)
