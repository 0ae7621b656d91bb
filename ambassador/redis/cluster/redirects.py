"""What a node says when a command is not its to execute. Pure."""

from typing import Final, NamedTuple

from ambassador.frame.address import Address

__all__ = ["AWAY", "Redirect", "redirect_of"]

AWAY: Final = (b"-MOVED ", b"-ASK ", b"-TRYAGAIN ", b"-CLUSTERDOWN ")
"""How errors begin that only a node of a cluster gives, all of which mean: not executed."""


class Redirect(NamedTuple):
    """Another node: for good, or for this command alone."""

    slot: int
    address: Address
    is_ask: bool


def redirect_of(reply: bytes, asked: str) -> Redirect | None:
    """Return where an error sends a command; None: it does not. No host means the one asked."""
    words = reply.rstrip().split(b" ")
    if len(words) != 3 or words[0] not in {b"-MOVED", b"-ASK"} or not words[1].isdigit():
        return None
    host, _, port = words[2].decode("latin-1").rpartition(":")
    if not port.isdigit():
        return None
    return Redirect(
        int(words[1]), Address(host.strip("[]") or asked, int(port)), words[0] == b"-ASK"
    )
