"""The same calls to two addresses: what one Redis answers and what the ambassador does."""

import random
from collections.abc import Callable
from typing import Any

from ambassador.redis.resp import Failure
from tests.support.ambassador import Caller
from tests.support.redis_calls import Calls, seen

__all__ = ["docs_of", "twin"]

_CLIENTS = 3
_USERS = (
    ("ann", "on", ">secret", "~*", "&*", "+@all"),
    ("bob", "on", ">secret", "~string:*", "+get", "+ping", "+hello", "+auth", "+reset", "+multi"),
)


def docs_of(port: int) -> dict[bytes, Any]:
    """Return what a server says of its commands."""
    with Caller(port) as caller:
        caller.do("HELLO", "3")
        found: dict[bytes, Any] = caller.do("COMMAND", "DOCS")
        return found


def twin(real: int, ours: int, seed: int, rounds: int, said: Callable[[str], None]) -> int:
    """Make calls on both, with some clients each; say what differs, return how many calls."""
    draw = random.Random(seed)
    calls = Calls(docs_of(real), seed)
    for port in (real, ours):
        with Caller(port) as caller:
            caller.do("FLUSHALL")
            for user in _USERS:
                assert caller.do("ACL", "SETUSER", *user) == b"OK"
    pairs = [(Caller(real), Caller(ours)) for _ in range(_CLIENTS)]
    queues: list[list[bytes]] = [[] for _ in pairs]  # names in a transaction
    made = 0
    try:
        for _ in range(rounds):
            at = draw.randrange(_CLIENTS)
            batch = [_next(calls, draw) for _ in range(draw.choice((1, 1, 2, 5, 20)))]
            made += len(batch)
            answers = [_exchange(caller, batch) for caller in pairs[at]]
            _compare(batch, answers, queues[at], said)
    finally:
        for pair in pairs:
            for caller in pair:
                caller.sock.close()
    return made


def _next(calls: Calls, draw: random.Random) -> tuple[bytes, list[bytes]]:
    chance = draw.random()
    if chance < 0.04:
        return calls.call(b"exec")
    return calls.call(b"reset") if chance < 0.045 else calls.call()


def _exchange(caller: Caller, batch: list[tuple[bytes, list[bytes]]]) -> list[object]:
    for _, words in batch:
        caller.send(*words)
    answers = []
    for _ in batch:
        try:
            answers.append(caller.read())
        except (TimeoutError, EOFError) as failure:
            begun = [words for _, words in batch[: len(answers) + 1]]
            raise AssertionError(f"no reply to the last of {begun!r}") from failure
    return answers


def _compare(
    batch: list[tuple[bytes, list[bytes]]],
    answers: list[list[object]],
    queue: list[bytes],
    said: Callable[[str], None],
) -> None:
    for (name, words), one, other in zip(batch, *answers, strict=True):
        if name == b"exec":
            _compare_transaction(queue, one, other, said)
            queue.clear()
        elif one == b"QUEUED":
            queue.append(name)
            if other != one:
                said(f"{words!r}\n  real {one!r}\n  ours {other!r}")
        elif seen(name, one) != seen(name, other):
            said(f"{words!r}\n  real {one!r}\n  ours {other!r}")
        if name in {b"discard", b"reset"} and not isinstance(one, Failure):
            queue.clear()


def _compare_transaction(
    queue: list[bytes], one: object, other: object, said: Callable[[str], None]
) -> None:
    if not isinstance(one, list) or not isinstance(other, list) or len(one) != len(queue):
        if one != other:
            said(f"EXEC of {queue}\n  real {one!r}\n  ours {other!r}")
        return
    if len(one) != len(other):
        said(f"EXEC of {queue}\n  real {one!r}\n  ours {other!r}")
        return
    for name, left, right in zip(queue, one, other, strict=True):
        if seen(name, left) != seen(name, right):
            said(f"EXEC: {name!r}\n  real {left!r}\n  ours {right!r}")
