"""The threads of kazoo, seen from a loop.

kazoo runs a thread for the connection and two for callbacks. Requests are handed over in batches by
a worker thread, as kazoo may block a moment, and all answers of a batch come back to the loop at
once. A batch is pipelined: the server runs it in order, and no request waits for the answer to
another.
"""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from kazoo.handlers.threading import AsyncResult, SequentialThreadingHandler

__all__ = ["Batch", "Call", "Handler", "hang_up", "on_loop", "silent"]

Call = Callable[[KazooClient], AsyncResult]
"""One request."""

_DIAL: Final = 3.0  # seconds for a connection
_HELLO: Final = 1.0  # and for the first answer on it; doubled with each attempt
_PATIENT: Final = 10.0
_STOPS: Final = 20  # so often kazoo is asked to stop: a thread of its own may be slow to see it
_STOP_PAUSE: Final = 0.1


class Handler(SequentialThreadingHandler):
    """kazoo's threads, with a hand on its connections."""

    def __init__(self, servers: int) -> None:
        super().__init__()
        self.kazoo: KazooClient | None = None
        self.dialled = 0  # connections since the last one that was let in
        self._servers = servers
        self._connection: socket.socket | None = None
        self._cut = threading.Event()

    def create_connection(self, *args: Any, **kwargs: Any) -> socket.socket:
        """Connect, unless ``cut``.

        A server that has seen fewer transactions than we hangs up on us: it may lag, or it was
        wiped. When all have done so once, we claim to have seen none, and learn which it is.
        """
        if self._cut.is_set():
            raise ConnectionAbortedError("hung up")
        kwargs["timeout"] = min(kwargs.get("timeout") or _DIAL, _DIAL)
        connection: socket.socket = super().create_connection(*args, **kwargs)
        if self.dialled >= self._servers and self.kazoo is not None:
            self.kazoo.last_zxid = 0
        self.dialled += 1
        self._connection = connection
        if self._cut.is_set():  # meanwhile
            connection.close()
        return connection

    def select(self, *args: Any, **kwargs: Any) -> Any:
        """Wait as long as kazoo does, but not for an answer that will not come.

        A server that is starting may take a connection and never speak; kazoo would give it the
        whole time of a session.
        """
        if self.dialled and len(args) > 3:
            limit = min(_HELLO * (1 << min(self.dialled - 1, 8)), _PATIENT)
            args = (*args[:3], min(args[3], limit), *args[4:])
        return super().select(*args, **kwargs)

    def cut(self) -> None:
        """Hang up and never connect again."""
        self._cut.set()
        if self._connection is not None:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)


class Batch:
    """Requests under way; ``answers`` is done when all are."""

    def __init__(self, loop: asyncio.AbstractEventLoop, count: int) -> None:
        self.answers: asyncio.Future[list[Any]] = loop.create_future()
        self._loop = loop
        self._found: list[Any] = [None] * count
        self._open = set(range(count))
        self._lock = threading.Lock()
        if not count:
            self.answers.set_result([])

    def send(self, kazoo: KazooClient, calls: Sequence[Call]) -> None:
        """Hand all requests to kazoo, in order (in a worker thread)."""
        for number, call in enumerate(calls):
            try:
                call(kazoo).rawlink(partial(self._answered, number))
            except (KazooException, ValueError, TypeError) as error:
                self._close(number, error)

    def _answered(self, number: int, result: AsyncResult) -> None:
        error = result.exception
        self._close(number, result.value if error is None else error)

    def _close(self, number: int, value: Any) -> None:
        with self._lock:
            if number not in self._open:  # kazoo tells twice when it closes meanwhile
                return
            self._open.discard(number)
            self._found[number] = value
            if self._open:
                return
        on_loop(self._loop, self._finish)

    def _finish(self) -> None:
        if not self.answers.done():
            self.answers.set_result(self._found)


def on_loop(
    loop: asyncio.AbstractEventLoop, function: Callable[..., None], *values: object
) -> None:
    """Call a function on the loop; nobody waits for it when the loop is closed."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *values)


def hang_up(kazoo: KazooClient, handler: Handler) -> None:
    """Stop kazoo's threads without ending the session. Blocks until they have ended."""
    handler.cut()
    for _ in range(_STOPS):
        with suppress(KazooException, OSError):
            kazoo.stop()
        try:
            kazoo.close()
        except Exception:  # noqa: BLE001 - it has no narrower one for "not stopped yet"
            threading.Event().wait(_STOP_PAUSE)
        else:
            return


def silent() -> logging.Logger:
    """Return a logger that drops all: what kazoo would say, we say, without credentials."""
    logger = logging.getLogger("pinnace.zookeeper.kazoo")
    logger.disabled = True
    return logger
