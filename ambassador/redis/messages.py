"""What a connection is subscribed to, from the confirmations that pass. Pure.

The server's confirmations tell, not what the client asked for: a transaction or a refusal may stand
between the two. What is known so can be subscribed to again elsewhere, the confirmations of which
the client must not see (``hide``).
"""

import re
from collections.abc import Sequence
from typing import Final

from ambassador.redis.replies import Replies
from ambassador.redis.resp import packed
from sidecar.errors import ProtocolError

__all__ = ["Subscriptions"]

_MOST: Final = 1024  # of a frame, a channel's name included, before it is looked at no more
_CONFIRMATION: Final = re.compile(
    rb"[*>]3\r\n\$\d+\r\n([ps]?)(un)?subscribe\r\n(?:\$-1|_|\$\d+\r\n(.*))\r\n:(\d+)\r\n\Z",
    re.DOTALL,
)
_MESSAGE: Final = re.compile(rb">|\*[34]\r\n\$\d+\r\n[ps]?message\r\n")
_KINDS: Final = {b"": b"SUBSCRIBE", b"p": b"PSUBSCRIBE", b"s": b"SSUBSCRIBE"}
_AT_ONCE: Final = 1000  # channels in one command


class Subscriptions:
    """Follows the frames of a connection."""

    def __init__(self) -> None:
        """Start before any subscription."""
        self.has_error = False  # a hidden subscription was refused
        self._channels: dict[bytes, dict[bytes, None]] = {kind: {} for kind in _KINDS}
        self._framer = Replies(takes_pushes=True)
        self._begun = bytearray()
        self._hidden = 0  # confirmations that the client must not see
        self._unanswered = 0
        self._is_lost = False

    @property
    def count(self) -> int:
        """Return how many subscriptions there are."""
        return sum(map(len, self._channels.values()))

    @property
    def is_settled(self) -> bool:
        """Whether all that was asked is answered, and no frame has come in part."""
        return not (self._unanswered or self._is_lost or self._hidden or self._framer.is_inside)

    def asked(self, name: str, arguments: int) -> None:
        """Take a command of the client: how many replies it will have."""
        if not name.endswith("subscribe") or arguments:
            self._unanswered += arguments if name.endswith("subscribe") else 1
        else:  # from all of its kind, or a confirmation that there was none
            kind = b"" if name[0] not in "ps" or name == "subscribe" else name[:1].encode()
            self._unanswered += max(1, len(self._channels[kind]))

    def commands(self) -> Sequence[bytes]:
        """Return what subscribes a new connection to the same; the confirmations will be hidden."""
        found: list[bytes] = []
        for kind, word in _KINDS.items():
            names = list(self._channels[kind])
            found += [
                packed(word, *names[begin : begin + _AT_ONCE])
                for begin in range(0, len(names), _AT_ONCE)
            ]
        return found

    def hide(self) -> None:
        """Begin with a new connection, on which ``commands`` come first."""
        self._hidden = self.count
        self._framer = Replies(takes_pushes=True)

    def feed(self, data: bytes, *, is_muted: bool = False) -> bytes:
        """Take what passes, in pieces of any size; return what of it the client sees.

        ``is_muted``: messages alone, as after CLIENT REPLY OFF.
        """
        if self._is_lost:
            return data
        at, size, framer = 0, len(data), self._framer
        seen = []
        while at < size:
            pushes = framer.pushes
            try:
                end, done = framer.take_one(data, at)
            except ProtocolError:
                self._is_lost = True  # what it is the client will find out
                seen.append(data[at:])
                break
            is_hiding = is_muted or self._hidden > 0
            if is_hiding or len(self._begun) < _MOST:
                self._begun += data[at:end]
            is_whole = done or framer.pushes > pushes
            if not is_hiding:
                seen.append(data[at:end])
            elif is_whole and not self._is_unseen(is_muted=is_muted):
                seen.append(bytes(self._begun))
            at = end
            if is_whole:
                self._look()
                self._begun.clear()
        return data if len(seen) == 1 and len(seen[0]) == size else b"".join(seen)

    def _is_unseen(self, *, is_muted: bool) -> bool:
        is_told = _MESSAGE.match(self._begun) or _CONFIRMATION.match(self._begun)
        if self._hidden == 0:
            return is_muted and not is_told
        if self._begun.startswith(b"-"):
            self.has_error = True
        elif _CONFIRMATION.match(self._begun) is None:
            return False
        self._hidden -= 1
        self._unanswered += 1
        return True

    def _look(self) -> None:
        match = _CONFIRMATION.match(self._begun)
        if match is not None:
            kind, is_end, channel, _ = match.groups()
            if channel is None:
                pass
            elif is_end:
                self._channels[kind].pop(channel, None)
            else:
                self._channels[kind][channel] = None
        if match is not None or _MESSAGE.match(self._begun) is None:
            self._unanswered = max(0, self._unanswered - 1)
