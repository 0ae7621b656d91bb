"""A server that begins as RMI does and then goes wrong in the way a test wants."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Self

__all__ = ["RmiStub", "endless_blocks", "huge_array", "nested", "silence", "stops_in_the_middle"]

_HEAD = b"\x51\xac\xed\x00\x05\x77\x0f\x01" + bytes(14)

Answer = Callable[[], Iterator[bytes]]


def silence() -> Iterator[bytes]:
    """Never answer."""
    while True:
        yield b""


def endless_blocks() -> Iterator[bytes]:
    """Answer with an object whose data never end."""
    yield _HEAD + b"\x73\x72\x00\x01X" + bytes(8) + b"\x03\x00\x00\x78\x70"
    while True:
        yield (b"\x77\xff" + bytes(255)) * 64


def stops_in_the_middle() -> Iterator[bytes]:
    """Answer with half a text and then nothing."""
    yield _HEAD + b"\x74\x01\x00half"
    yield from silence()


def huge_array() -> Iterator[bytes]:
    """Announce two thousand million bytes."""
    yield _HEAD + b"\x75\x72\x00\x02[B" + bytes(8) + b"\x02\x00\x00\x78\x70\x7f\xff\xff\xff"
    yield from silence()


def nested() -> Iterator[bytes]:
    """Answer with arrays in arrays, as deep as one likes."""
    one = (
        b"\x75\x72\x00\x13[Ljava.lang.Object;" + bytes(8) + b"\x02\x00\x00\x78\x70\x00\x00\x00\x01"
    )
    yield _HEAD + one * 5000
    yield from silence()


class RmiStub:
    """Answers every call of every connection the same way; a context manager."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self.connections = 0
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def place(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            sock.settimeout(5)
            try:
                self._greet(sock)
                sock.settimeout(0.2)
                for piece in self._answer():
                    if self._stop.is_set():
                        return
                    if piece:
                        self._send(sock, piece)
                    else:
                        self._stop.wait(0.05)
            except OSError:
                return  # the client has had enough

    def _send(self, sock: socket.socket, piece: bytes) -> None:
        view = memoryview(piece)
        while view and not self._stop.is_set():
            try:
                view = view[sock.send(view) :]
            except TimeoutError:
                continue

    def _greet(self, sock: socket.socket) -> None:
        self._exactly(sock, 7)
        sock.sendall(b"\x4e\x00\x09127.0.0.1\x00\x00\x30\x39")
        self._exactly(sock, 2 + 9 + 4)
        sock.recv(65536)  # a call

    @staticmethod
    def _exactly(sock: socket.socket, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = sock.recv(count - len(data))
            if not piece:
                raise ConnectionError
            data += piece
        return data
