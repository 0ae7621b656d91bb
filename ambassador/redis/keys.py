"""Where the keys of a command are among its words. Pure.

COMMAND of Redis 7 says it by key specifications (https://redis.io/docs/reference/key-specs/): where
to begin, and how far to go from there. Older servers tell first, last and step, and of commands
whose keys move nothing; those that Redis 7.0 has are listed here. So are the few whose
specifications are incomplete.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple

__all__ = ["KeySpec", "keys_at", "positions", "specs_of"]


class KeySpec(NamedTuple):
    """One key specification.

    Keys begin at word ``at``, or behind ``keyword``, which is looked for from word ``at`` on
    (backwards from the end when that is negative). ``counted``: a word there tells how many
    follow. Else they go up to ``last`` from the first, or from the end when that is negative, of
    which only the first part of ``limit`` parts counts.
    """

    at: int = 1
    keyword: bytes = b""
    last: int = 0
    step: int = 1
    limit: int = 0
    counted: bool = False
    number_at: int = 0
    first: int = 0


def _counted(at: int) -> KeySpec:
    return KeySpec(at=at, counted=True, first=1)


def _behind(keyword: bytes, at: int, last: int = 0, limit: int = 0) -> KeySpec:
    return KeySpec(at=at, keyword=keyword, last=last, limit=limit)


_ONE: Final = KeySpec()
_STREAMS: Final = b"STREAMS"
_SCRIPTS: Final = dict.fromkeys(("eval", "evalsha", "fcall", "eval_ro", "evalsha_ro", "fcall_ro"))
_COUNTED: Final = dict.fromkeys(
    ("zdiff", "zinter", "zunion", "zintercard", "sintercard", "lmpop", "zmpop")
)
_STORED: Final = dict.fromkeys(("zdiffstore", "zinterstore", "zunionstore"))
_BUILT_IN: Final[Mapping[str, tuple[KeySpec, ...]]] = {
    **dict.fromkeys(_SCRIPTS, (_counted(2),)),
    **dict.fromkeys(_COUNTED, (_counted(1),)),
    **dict.fromkeys(_STORED, (_ONE, _counted(2))),
    "blmpop": (_counted(2),),
    "bzmpop": (_counted(2),),
    "xread": (_behind(_STREAMS, 1, -1, 2),),
    "xreadgroup": (_behind(_STREAMS, 4, -1, 2),),
    "georadius": (_ONE, _behind(b"STORE", 6), _behind(b"STOREDIST", 6)),
    "georadiusbymember": (_ONE, _behind(b"STORE", 5), _behind(b"STOREDIST", 5)),
    "sort_ro": (_ONE,),
}
_BOTH: Final[Mapping[str, tuple[KeySpec, ...]]] = {
    # Told incompletely: patterns of BY and GET have to be in the slot of the key anyway.
    "sort": (_ONE, _behind(b"STORE", 2)),
    "migrate": (KeySpec(at=3), _behind(b"KEYS", -2, -1)),
}


def specs_of(told: object) -> tuple[KeySpec, ...] | None:
    """Return the specifications in a decoded reply to COMMAND; None: some cannot be followed."""
    found = []
    for one in told if isinstance(told, list) else ():
        facts = _facts(one)
        begin, find = _facts(facts.get("begin_search")), _facts(facts.get("find_keys"))
        spec = _spec(begin.get("type"), _facts(begin.get("spec")), find.get("type"),
                     _facts(find.get("spec")))  # fmt: skip
        if spec is None:
            return None
        found.append(spec)
    return _shared(tuple(found))


@cache
def _shared(specs: tuple[KeySpec, ...]) -> tuple[KeySpec, ...]:
    return specs  # hundreds of commands have the same


def _spec(
    begins: object, begin: Mapping[str, object], finds: object, find: Mapping[str, object]
) -> KeySpec | None:
    match begins, begin:
        case b"index", {"index": int(at)}:
            keyword = b""
        case b"keyword", {"keyword": bytes(keyword), "startfrom": int(at)}:
            keyword = keyword.upper()
        case _:
            return None
    match finds, find:
        case b"range", {"lastkey": int(last), "keystep": int(step), "limit": int(limit)}:
            return KeySpec(at=at, keyword=keyword, last=last, step=step, limit=limit)
        case b"keynum", {"keynumidx": int(number), "firstkey": int(first), "keystep": int(step)}:
            return KeySpec(
                at=at, keyword=keyword, step=step, counted=True, number_at=number, first=first
            )
    return None


def _facts(flat: object) -> dict[str, object]:
    pairs: Iterable[tuple[object, object]] = ()
    if isinstance(flat, dict):
        pairs = flat.items()
    elif isinstance(flat, list):
        pairs = zip(flat[::2], flat[1::2], strict=False)
    return {key.decode("latin-1"): value for key, value in pairs if isinstance(key, bytes)}


def keys_at(
    name: str,
    words: Sequence[bytes],
    specs: Sequence[KeySpec] | None,
    plain: tuple[int, int, int],
    *,
    are_movable: bool,
) -> list[int] | None:
    """Return where the keys are; None: only the server knows.

    ``specs`` are those told, None if they cannot be followed; ``plain`` is first, last, step.
    """
    if name in _BOTH:
        return _all(_BOTH[name], words)
    if specs:
        return _all(specs, words)
    if specs is not None and name in _BUILT_IN:
        return _all(_BUILT_IN[name], words)
    first, last, step = plain
    if first > 0 and not (are_movable and specs is None):
        return _within(first, len(words) + last if last < 0 else last, step, len(words))
    return None if are_movable else []


def _all(specs: Iterable[KeySpec], words: Sequence[bytes]) -> list[int]:
    return [place for spec in specs for place in positions(spec, words)]


def positions(spec: KeySpec, words: Sequence[bytes]) -> list[int]:
    """Return where one specification finds keys; none where the words are not as it expects."""
    count = len(words)
    first = spec.at if not spec.keyword else _behind_keyword(spec, words)
    if not 0 < first < count:
        return []
    if spec.counted:
        number = words[first + spec.number_at] if first + spec.number_at < count else b""
        if not number.isdigit() or len(number) > 9:
            return []
        first += spec.first
        last = first + (int(number) - 1) * spec.step
        return _within(first, last, spec.step, count) if last < count else []
    if spec.last >= 0:
        last = first + spec.last
    elif spec.limit:
        last = first + (count - first) // spec.limit + spec.last
    else:
        last = count + spec.last
    return _within(first, last, spec.step, count)


def _within(first: int, last: int, step: int, count: int) -> list[int]:
    return list(range(first, min(last, count - 1) + 1, max(step, 1)))


def _behind_keyword(spec: KeySpec, words: Sequence[bytes]) -> int:
    count = len(words)
    # As db.c of 7.0 looks: forwards up to the word before the last, backwards down to the second.
    places = range(spec.at, count - 1) if spec.at > 0 else range(count + spec.at, 1, -1)
    for place in places:
        if place < count and words[place].upper() == spec.keyword:
            return place + 1
    return 0
