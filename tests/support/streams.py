"""A relay in threads that delays or cuts what a server sends."""

import contextlib
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Self

__all__ = ["Stream"]


class Stream:
    """Listens on ``port`` and passes on to a server, changed as told."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.delay = 0.0
        """Seconds that what the server sends is held back."""
        self.cut_after = -1
        """Bytes of the server after which a connection that asked for ``marked`` is reset; once."""
        self.marked = b""
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # Closing alone would not wake who waits in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in self._sockets:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            with self._lock:
                self._sockets |= {client, server}
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = _Pair(self, client, server)
            threading.Thread(target=pair.requests, daemon=True).start()
            threading.Thread(target=pair.replies, daemon=True).start()

    def forget(self, *sockets: socket.socket) -> None:
        with self._lock:
            self._sockets -= set(sockets)


class _Pair:
    def __init__(self, stream: Stream, client: socket.socket, server: socket.socket) -> None:
        self._stream, self._client, self._server = stream, client, server
        self._is_cut = False
        self._passed = -1  # bytes since the mark was seen
        self._held: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()

    def requests(self) -> None:
        def note(data: bytes) -> None:
            if self._stream.marked and self._stream.marked in data and self._passed < 0:
                self._passed = 0
            self._server.sendall(data)

        self._pump(self._client, note)

    def replies(self) -> None:
        if self._stream.delay:
            threading.Thread(target=self._deliver, daemon=True).start()
            self._pump(self._server, lambda data: self._held.put((time.monotonic(), data)))
        else:
            self._pump(self._server, self._reply)

    def _deliver(self) -> None:
        while True:
            at, data = self._held.get()
            time.sleep(max(0.0, at + self._stream.delay - time.monotonic()))
            try:
                self._client.sendall(data)
            except OSError:
                return

    def _reply(self, data: bytes) -> None:
        limit = self._stream.cut_after
        if self._passed >= 0 and 0 <= limit <= self._passed + len(data):
            self._stream.cut_after = -1
            self._client.sendall(data[: limit - self._passed])
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._stream.cuts += 1
            self._is_cut = True
            # The other thread waits in recv() and holds the socket: woken, it resets.
            self._client.shutdown(socket.SHUT_RD)
            raise OSError("cut")
        if self._passed >= 0:
            self._passed += len(data)
        self._client.sendall(data)

    def _pump(self, source: socket.socket, take: Callable[[bytes], object]) -> None:
        try:
            while data := source.recv(65536):
                take(data)
        except OSError:
            pass
        for sock in (self._server,) if self._is_cut else (self._client, self._server):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        source.close()
        self._stream.forget(source)
