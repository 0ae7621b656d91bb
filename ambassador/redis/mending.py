"""Replies that are not the client's yet: errors that another server would not have given.

Such an error means that the command was not executed, so it may be sent again even if it writes;
each reply of a run is judged by itself.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ambassador.redis.commands import Route
from ambassador.redis.framing import Requests
from ambassador.redis.replies import Replies
from ambassador.redis.run import ClientRun

if TYPE_CHECKING:
    from ambassador.redis.client import Client

__all__ = ["mend"]

_MOST_TRIES: Final = 5
_NOT_HERE: Final = (b"-READONLY ", b"-LOADING ", b"-MASTERDOWN ")
_READ_ELSEWHERE: Final = (b"-BUSY ", b"-NOSCRIPT ")


def mend(client: "Client", run: ClientRun, reply: bytes) -> None:
    """Answer the client, after the commands that another server must see."""
    if run.slot is not None:
        client.answered(run, reply)
        return
    if run.is_stale:
        client.hub.reissued("stale")
        _reset(run)
        client.to_primary(run)
        return
    replies = [reply] if run.count == 1 else _each(reply, run.count)
    wrong = [place for place, one in enumerate(replies) if one.startswith(b"-")]
    for place in wrong:
        client.hub.failed_with(replies[place][1:].split(b" ", 1)[0].decode("latin-1"))
    again = [place for place in wrong if _may_go_elsewhere(client, run, replies[place])]
    if not again or run.is_streamed or run.tries >= _MOST_TRIES:
        client.hub.erred(run, len(wrong))
        client.answered(run, reply)
        return
    _note(run, replies[again[0]])
    if len(again) == run.count:
        run.tries += 1
        _send(client, run, reply)
    else:
        client.hub.erred(run, len(wrong) - len(again))
        _send_some(client, run, replies, again)


def _may_go_elsewhere(client: "Client", run: ClientRun, reply: bytes) -> bool:
    if getattr(run.link, "client", None) is not None:
        return False
    if reply.startswith(_NOT_HERE):
        # Where there is nothing but this server, its error is the answer.
        return len(client.hub.nodes) > 1 or reply.startswith(b"-LOADING ")
    node = getattr(run.link, "node", None)
    is_replica = node is not None and not node.is_primary
    return run.kind == Route.READ and is_replica and reply.startswith(_READ_ELSEWHERE)


def _note(run: ClientRun, reply: bytes) -> None:
    """Let the server be asked at once who it is."""
    node = getattr(run.link, "node", None)
    if node is None or not reply.startswith(_NOT_HERE):
        return
    if node.is_primary:
        if node.observation is not None:
            node.observation = replace(node.observation, role="refuses")
        node.hub.rejudge()
    node.suspect()


def _send(client: "Client", run: ClientRun, reply: bytes) -> None:
    """Send a whole run to the primary; if there is none in time, its own error is the answer."""
    _reset(run)
    run.fallback = reply
    if run.kind == Route.READ:
        client.hub.reissued(reply[1:].split(b" ", 1)[0].decode("latin-1").lower())
    client.to_primary(run)


def _send_some(client: "Client", run: ClientRun, replies: list[bytes], again: list[int]) -> None:
    """Send some commands of a run, and answer when their replies have taken their places."""
    commands = [
        buffer[begin:end] for buffer, found in Requests().split(run.data) for _, begin, end in found
    ]
    data = b"".join(commands[place] for place in again)
    child = ClientRun(client, data, len(again), run.kind, run.since)
    child.tries = run.tries + 1
    child.fallback = b"".join(replies[place] for place in again)

    def take(reply: bytes) -> None:
        for place, one in zip(again, _each(reply, len(again)), strict=True):
            replies[place] = one
        run.has_error = False
        client.answered(run, b"".join(replies))

    child.slot = take
    client.to_primary(child)


def _reset(run: ClientRun) -> None:
    run.left, run.has_error, run.is_stale = run.count, False, False
    run.parts.clear()


def _each(reply: bytes, count: int) -> list[bytes]:
    framer, at, found = Replies(), 0, []
    for _ in range(count):
        end, _done = framer.take(reply, at, 1)
        found.append(reply[at:end])
        at = end
    return found
