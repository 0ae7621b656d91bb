"""CLIENT TRACKING with redirection, in our clients' ids (``roster``)."""

import re
from typing import TYPE_CHECKING

from ambassador.redis.ids import is_id, of_server
from ambassador.redis.resp import packed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ambassador.redis.client import Client
    from ambassador.redis.lease import Lease

__all__ = ["redirection", "target_of", "tracking", "tracking_info"]

Translation = tuple[bytes, "Callable[[bytes], bytes] | None"]


def tracking(client: "Client", lease: "Lease", raw: bytes, words: list[bytes]) -> Translation:
    """Return the command with the server's id of whom messages go to."""
    options = [word.upper() for word in words]
    if b"REDIRECT" not in options[:-1]:
        lease.redirects_to = 0
        return raw, None
    place = options.index(b"REDIRECT") + 1
    if not is_id(words[place]):
        return raw, None
    lease.redirects_to = int(words[place])
    changed = [*words[:place], of_server(client, words[place]), *words[place + 1 :]]
    return packed(*changed), None


def target_of(client: "Client", words: list[bytes]) -> "Client | None":
    """Return the client that tracking is to be told to, if it has no upstream alone yet."""
    options = [word.upper() for word in words]
    if b"REDIRECT" not in options[:-1]:
        return None
    number = words[options.index(b"REDIRECT") + 1]
    for one in client.hub.clients if is_id(number) else ():
        if one.id == int(number):
            return None if one.session.lease is not None else one
    return None


def redirection(_: "Client", lease: "Lease", raw: bytes, _words: list[bytes]) -> Translation:
    """Return CLIENT GETREDIR with what makes its reply ours."""

    def after(reply: bytes) -> bytes:
        if not reply.startswith(b":") or reply in {b":0\r\n", b":-1\r\n"}:
            return reply
        return b":%d\r\n" % lease.redirects_to

    return raw, after


def tracking_info(_: "Client", lease: "Lease", raw: bytes, _words: list[bytes]) -> Translation:
    """Return CLIENT TRACKINGINFO with what makes its reply ours."""

    def after(reply: bytes) -> bytes:
        ours = rb"\g<1>%d\r" % lease.redirects_to
        return re.sub(rb"(\$8\r\nredirect\r\n:)[1-9]\d*\r", ours, reply)

    return raw, after
