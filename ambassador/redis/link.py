"""One connection to one Redis server: how it opens, and what is asked there."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from ambassador.redis.carrier import CLOSED, Carrier
from ambassador.redis.greeting import ALONE, DEFAULT, Attributes, Refused, check, greeting
from ambassador.redis.resp import Failure, packed
from ambassador.redis.run import Ask, ClientRun
from sidecar.errors import UpstreamUnavailable
from sidecar.runtime.reason import reason_of

if TYPE_CHECKING:
    from ambassador.frame.dialing import Dial

__all__ = ["DEFAULT", "Attributes", "Link", "Refused"]

_HANDSHAKE: Final = 2.0


class Link(Carrier):
    """A connection that carries runs."""

    def __init__(
        self,
        dial: "Dial",
        attributes: Attributes = DEFAULT,
        *,
        name: bytes = b"",
        ended: Callable[["Link"], None] = lambda _: None,
        takes_pushes: bool = False,
    ) -> None:
        """Prepare; ``dial`` connects, ``ended`` is called once when it is no more of use."""
        super().__init__(takes_pushes=takes_pushes)
        self.attributes = self.login = attributes  # the login may be our own
        self.is_lane = False  # for slow commands
        self.given_name = b""  # by the client that has or had it alone
        self.seen, self.seen_at = -1, 0.0  # progress, when somebody looked last
        self.port = b""  # ours, as MONITOR tells it
        self.server_id = 0  # what the server calls a connection that somebody has alone
        self.is_ours = True  # set as nobody asked for
        self.refusal: bytes | None = None
        self._dial = dial
        self._name = name
        self._ended = ended
        self._settled = asyncio.Event()

    async def open(self) -> None:
        """Connect and greet. Raises UpstreamUnavailable and Refused, closed then."""
        try:
            await self._dial(lambda: cast("asyncio.BaseProtocol", self))
            self._check_open()
            self.server_id = await self._greet()
            self._check_open()  # the server may have ended it behind its answer
        except OSError as error:
            why = "no answer" if isinstance(error, TimeoutError) else reason_of(error)
            self.close(why)
            raise UpstreamUnavailable(why) from error
        except Refused as error:
            self.refusal = b"-" + error.reply + b"\r\n"
            self.close(str(error))
            raise
        except UpstreamUnavailable as error:
            self.close(str(error))
            raise
        except asyncio.CancelledError:
            self.close("cancelled")
            raise
        self.is_ready = True
        self._settled.set()
        now = self._loop.time()
        for run in self.unsent:
            if isinstance(run, ClientRun):
                run.sent = now
        self.flush()

    async def _greet(self) -> int:
        """Set the connection as it is to be; return what the server calls it, 0 if not asked."""
        words = greeting(self.login, name=self._name, is_alone=self._is_alone)
        if not words:
            return 0
        data = b"".join(packed(*command) for command in words)
        greeted, run = _asked(data, len(words))
        self._send_now(run)
        async with asyncio.timeout(_HANDSHAKE):
            answers = await greeted
        check(words, answers)
        last = answers[-1]
        return last if words[-1] == ALONE and isinstance(last, int) else 0

    def _check_open(self) -> None:
        if self.is_closed:
            raise UpstreamUnavailable(CLOSED)

    async def ask(self, data: bytes, count: int) -> list[object]:
        """Return the decoded replies to so many commands. Raises UpstreamUnavailable."""
        if self.is_closed:
            raise UpstreamUnavailable("closed")
        answer, run = _asked(data, count)
        self.send(run)
        return await answer

    async def name_as(self, name: bytes) -> None:
        """Give the connection a client's name, or take it away."""
        if name != self.given_name:
            self.given_name = name
            await self.ask(packed(b"CLIENT", b"SETNAME", name), 1)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        name = transport.get_extra_info("sockname")
        self.port = b"%d" % name[1] if isinstance(name, tuple) else b"unix"
        super().connection_made(transport)

    def end(self) -> None:
        """Hear that it is closed, before its runs do."""
        self._settled.set()
        self._ended(self)

    async def opened(self) -> None:
        """Return when it is ready. Raises Refused and UpstreamUnavailable."""
        await self._settled.wait()
        if self.refusal is not None:
            raise Refused(Failure(self.refusal[1:-2]))
        if self.is_closed:
            raise UpstreamUnavailable("closed")


def _asked(data: bytes, count: int) -> tuple[asyncio.Future[list[object]], Ask]:
    """Return a question of so many commands, and where its answers come; or UpstreamUnavailable."""
    answer: asyncio.Future[list[object]] = asyncio.get_running_loop().create_future()

    def tell(found: list[object]) -> None:
        if not answer.done():
            answer.set_result(found)

    def fail(why: str) -> None:
        if not answer.done():
            answer.set_exception(UpstreamUnavailable(why))

    return answer, Ask(data, count, tell, fail)
