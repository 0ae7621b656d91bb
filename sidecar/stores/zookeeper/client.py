"""One session with a ZooKeeper ensemble, used from a loop.

With ``threads`` and ``answers``, the only module that knows kazoo. What kazoo does not do by
itself: it hands its last transaction number to a server that was wiped, is sent away for ever and
never sees that its session is gone; it waits long for a server that never speaks; it ends its
session when it is stopped; and it logs credentials at the debug level. All four are mended in
``threads``.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from kazoo.client import KazooClient
from kazoo.protocol.states import KazooState, KeeperState
from kazoo.retry import KazooRetry
from kazoo.security import OPEN_ACL_UNSAFE, make_acl

from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.runtime.log import get_logger
from sidecar.runtime.signal import Signal
from sidecar.stores.zookeeper.answers import LOST, REFUSED, Answer, plain
from sidecar.stores.zookeeper.location import Location
from sidecar.stores.zookeeper.threads import Batch, Call, Handler, hang_up, on_loop, silent

__all__ = ["Client"]

_log = get_logger("zookeeper")

SESSION: Final = 10.0  # as Registrator asks for
_CONNECT: Final = 2.0  # how long a request waits for a connection
_MOMENT: Final = 0.2  # and when it is known that there is none
_ANSWER: Final = 3.0  # how long it waits for its answer
_MOST: Final = 500  # requests in flight
_RETRY: Final = 1.0  # the longest pause between two attempts to connect
_ENDED: Final = (KeeperState.AUTH_FAILED, KeeperState.CLOSED)


class Client:
    """Connects with the first request and from then on by itself; used on one loop."""

    def __init__(
        self,
        location: Location,
        credentials: Callable[[], str] = str,
        *,
        session: float = SESSION,
    ) -> None:
        """``credentials`` returns ``user:password`` or ""; it is asked in a worker thread.

        ``session`` is how many seconds the server waits for us before our entries go.
        """
        self._seconds = session
        self.location = location
        self.session = 0
        self.changed = Signal()
        """Fires when the connection came or went."""
        self.on_turn: list[Callable[[], None]] = []
        """Called on the loop with each new connection, as watches of the old one are gone, and
        when there will be none before the next request."""
        self._ended: list[tuple[KazooClient, Handler]] = []
        self._credentials = credentials
        self._kazoo: KazooClient | None = None
        self._handler: Handler | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting = asyncio.Lock()
        self._is_connected = False
        self._acl = OPEN_ACL_UNSAFE
        self._trouble: str | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the session is alive, as far as is known."""
        return self._is_connected

    def trouble(self) -> str | None:
        """Return what keeps requests from being answered, or None."""
        return self._trouble

    # --- requests ------------------------------------------------------------------------------

    async def run(self, calls: Sequence[Call]) -> list[Answer]:
        """Return the answers to requests, run by the server in this order.

        Raises StoreUnavailable: any of them may have been done or may still be; StoreDenied.
        """
        answers: list[Answer] = []
        for start in range(0, len(calls), _MOST):
            answers += await self._run(calls[start : start + _MOST])
        return answers

    async def _run(self, calls: Sequence[Call]) -> list[Answer]:
        kazoo = await self._connected()
        batch = Batch(asyncio.get_running_loop(), len(calls))
        try:
            async with asyncio.timeout(_ANSWER):
                await asyncio.to_thread(batch.send, kazoo, calls)
                found = await batch.answers
        except TimeoutError as error:
            self._trouble = f"{self.location.url} does not answer"
            raise StoreUnavailable(self._trouble) from error
        if any(isinstance(each, LOST) for each in found):
            raise StoreUnavailable(f"{self.location.url}: the connection was lost")
        if any(isinstance(each, REFUSED) for each in found):
            raise StoreDenied(f"{self.location.url} refuses the credentials")
        if self._is_connected:
            self._trouble = None
        return [plain(each) for each in found]

    def create(
        self, path: str, data: bytes = b"", *, ephemeral: bool = False, sequence: bool = False
    ) -> Call:
        """Return a request that makes a node; its parent must be there.

        ``sequence``: the server puts a number behind its name; the answer is its whole path.
        """
        return lambda kazoo: kazoo.create_async(
            path, data, acl=self._acl, ephemeral=ephemeral, sequence=sequence
        )

    def replace(self, path: str, version: int, data: bytes) -> Call:
        """Return a request that puts an ephemeral node of ours into a node's place at once."""

        def call(kazoo: KazooClient) -> Any:
            transaction = kazoo.transaction()
            transaction.delete(path, version)
            transaction.create(path, data, acl=self._acl, ephemeral=True)
            return transaction.commit_async()

        return call

    @staticmethod
    def get(path: str, watch: Callable[[Any], None] | None = None) -> Call:
        """Return a request for a node; its answer is a ``Read``."""
        return lambda kazoo: kazoo.get_async(path, watch)

    @staticmethod
    def exists(path: str, watch: Callable[[Any], None] | None = None) -> Call:
        """Return a question for a node, whose watch tells too when it appears."""
        return lambda kazoo: kazoo.exists_async(path, watch)

    @staticmethod
    def sync(path: str) -> Call:
        """Return a request after which this server knows what the others knew before it."""
        return lambda kazoo: kazoo.sync_async(path)

    @staticmethod
    def children(path: str, watch: Callable[[Any], None] | None = None) -> Call:
        """Return a request for the names below a node."""
        return lambda kazoo: kazoo.get_children_async(path, watch)

    @staticmethod
    def set(path: str, data: bytes, version: int = -1) -> Call:
        """Return a request that changes a node, only at this version if one is given."""
        return lambda kazoo: kazoo.set_async(path, data, version)

    @staticmethod
    def delete(path: str, version: int = -1) -> Call:
        """Return a request that removes a node without children."""
        return lambda kazoo: kazoo.delete_async(path, version)

    def watch(self, tell: Callable[[str], None]) -> Callable[[Any], None]:
        """Return a watch that says on the loop at which path something happened."""

        def told(event: Any) -> None:  # in kazoo's thread
            if event.path is not None and self._loop is not None:
                on_loop(self._loop, tell, event.path)

        return told

    # --- the connection ------------------------------------------------------------------------

    async def connect(self) -> None:
        """Return when connected. Raises StoreUnavailable or StoreDenied."""
        await self._connected()

    async def pause(self, seconds: float) -> None:
        """Return after so long, or as soon as the connection came or went."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.changed.wait()

    async def close(self) -> None:
        """Hang up. The session is not ended: its entries stay until it runs out."""
        async with self._starting:
            if self._kazoo is not None and self._handler is not None:
                self._ended.append((self._kazoo, self._handler))
            self._kazoo = self._handler = None
            self._is_connected = False
            await self._bury()

    async def _bury(self) -> None:
        while self._ended:
            await asyncio.to_thread(hang_up, *self._ended.pop())

    async def _connected(self) -> KazooClient:
        async with self._starting:
            if self._kazoo is None:
                await self._start()
        with suppress(TimeoutError):
            async with asyncio.timeout(_MOMENT if self._trouble else _CONNECT):
                while not self._is_connected and self._kazoo is not None:
                    await self.changed.wait()
        if self._kazoo is None or not self._is_connected:
            self._trouble = self._trouble or f"{self.location.url} cannot be reached"
            raise StoreUnavailable(self._trouble)
        return self._kazoo

    async def _start(self) -> None:
        await self._bury()
        credentials = await asyncio.to_thread(self._read_credentials)
        loop = self._loop = asyncio.get_running_loop()
        handler = Handler(len(self.location.servers))
        kazoo = KazooClient(
            self.location.hosts,
            timeout=self._seconds,
            handler=handler,
            auth_data=[("digest", credentials)] if credentials else None,
            connection_retry=KazooRetry(max_tries=-1, delay=0.1, max_delay=_RETRY),
            logger=silent(),
        )
        if credentials:  # others may read; only who has the same credentials may change
            creator = make_acl("auth", "", all=True)
            self._acl = [creator, make_acl("world", "anyone", read=True)]
        handler.kazoo = kazoo

        def listen(state: str) -> None:  # in kazoo's thread
            if state == KazooState.CONNECTED:
                handler.dialled = 0
            has_ended = kazoo.client_state in _ENDED
            on_loop(loop, self._heard, kazoo, state, kazoo.client_id, has_ended)

        kazoo.add_listener(listen)
        self._kazoo, self._handler = kazoo, handler
        await asyncio.to_thread(kazoo.start_async)

    def _read_credentials(self) -> str:
        try:
            return self._credentials()
        except OSError as error:
            raise StoreDenied(f"the credentials for {self.location.url}: {error}") from error

    def _heard(
        self, kazoo: KazooClient, state: str, identity: tuple[int, bytes] | None, has_ended: bool
    ) -> None:
        if kazoo is not self._kazoo:
            return
        was = self._is_connected
        self._is_connected = state == KazooState.CONNECTED and identity is not None
        if self._is_connected and identity is not None:
            self._welcome(identity[0])
        elif was:
            self._trouble = f"the connection to {self.location.url} is lost"
            _log.warning("connection lost", store=self.location.url)
        if has_ended and self._handler is not None:  # the next request begins anew
            self._ended.append((kazoo, self._handler))
            self._kazoo = self._handler = None
            self._turn()
        self.changed.fire()

    def _welcome(self, session: int) -> None:
        if self.session not in {0, session}:
            _log.warning("session is gone, a new one begins", store=self.location.url)
        elif self._trouble:
            _log.info("connected again", store=self.location.url)
        self.session = session
        self._trouble = None
        self._turn()

    def _turn(self) -> None:
        for tell in self.on_turn:
            tell()
