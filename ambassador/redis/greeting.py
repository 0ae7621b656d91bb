"""What a connection is set to before its first command, and the words that set it so. Pure."""

from typing import Final, NamedTuple

from ambassador.redis.resp import Failure

__all__ = ["ALONE", "DEFAULT", "Attributes", "Refused", "check", "greeting"]

ALONE: Final = (b"CLIENT", b"ID")
"""Asked on connections that one client has alone: what the server calls it."""
_OPTIONAL: Final = b"CLIENT"
_SELECT: Final = b"SELECT"


class Attributes(NamedTuple):
    """What a connection is set to before its first command."""

    db: int = 0
    protocol: int = 2
    user: bytes = b""
    password: bytes | None = None
    is_reading: bool = False  # from a replica in a cluster, which wants to be told

    def __repr__(self) -> str:
        """Return it without the password."""
        return f"Attributes(db={self.db}, protocol={self.protocol}, user={self.user!r})"


DEFAULT: Final = Attributes()


class Refused(Exception):
    """The server refuses what a connection is to be set to; holds its reply."""

    def __init__(self, reply: Failure) -> None:
        """Take the error reply."""
        super().__init__(reply.decode(errors="replace"))
        self.reply = reply


def greeting(
    attributes: Attributes, *, name: bytes = b"", is_alone: bool = False
) -> list[tuple[bytes, ...]]:
    """Return what is said first."""
    db, protocol, user, password, is_reading = attributes
    words: list[tuple[bytes, ...]] = []
    choice = [(b"SELECT", b"%d" % db)] if db else []
    if password is not None and choice:
        words += choice  # a user who may not do that may be in a database all the same
    if password is not None:  # not within HELLO, which takes any for a user without one
        words.append((b"AUTH", user, password) if user else (b"AUTH", password))
    if protocol >= 3:
        words.append((b"HELLO", b"%d" % protocol))
    if name:
        words.append((b"CLIENT", b"SETNAME", name))
    words += choice
    if is_reading:
        words.append((b"READONLY",))
    if is_alone:
        words.append(ALONE)
    return words


def check(words: list[tuple[bytes, ...]], answers: list[object]) -> None:
    """Raise Refused for a refusal that matters."""
    chosen = [
        answer for command, answer in zip(words, answers, strict=True) if command[0] == _SELECT
    ]
    is_chosen = any(not isinstance(answer, Failure) for answer in chosen)
    for command, answer in zip(words, answers, strict=True):
        # A name is for people, and a server that wants a password first says so to the client.
        if command[0] == _OPTIONAL or (command[0] == _SELECT and is_chosen):
            continue
        if isinstance(answer, Failure):
            raise Refused(answer)
