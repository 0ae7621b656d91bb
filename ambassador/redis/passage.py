"""A long command on its way: what comes of it goes on to an upstream of its client's own.

So a value of hundreds of megabytes is never here, and nobody else waits for who sends it slowly.
"""

from typing import TYPE_CHECKING

from ambassador.redis.permission import may_pass
from sidecar.errors import ProtocolError

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.lease import Lease

__all__ = ["Passage", "begin"]


def begin(client: "Client") -> None:
    """Send what there is of a long command, if that may be, once an upstream is there."""
    if client.requests.is_long and may_pass(client.session, client.requests.word):
        client.session.with_lease(lambda lease: _begin(client, lease))


def _begin(client: "Client", lease: "Lease") -> None:
    if client.requests.is_long:  # else it has come to its end meanwhile
        client.passage = Passage(client, lease)


class Passage:
    """The rest of one command."""

    def __init__(self, client: "Client", lease: "Lease") -> None:
        """Begin with what has come."""
        self._client = client
        self._lease = lease
        begun, self._remainder = client.requests.release()
        self._run = lease.begin(begun)

    def take(self, data: bytes) -> None:
        """Pass on what comes; behind the end of the command the client takes it as ever."""
        client, link = self._client, self._lease.link
        client.heard = client.hub.now()
        try:
            end = self._remainder.take(data)
        except ProtocolError as wrong:
            client.passage = None
            self._run.is_muted = True  # it was never executed, and the client hears why
            link.close("the client broke off")
            client.requests.refuse(str(wrong))
            client.break_off()
            return
        if not link.is_closed:  # else it is lost, and the client was told so
            link.write_raw(data if end < 0 else data[:end])
        if end < 0:
            return
        client.passage = None
        if end < len(data):
            client.data_received(data[end:])
        elif not client.runs:
            client.settle()
