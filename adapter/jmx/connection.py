"""A connection to a JVM: blocking, in the thread of one target's scrape, never beyond its time."""

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from adapter.jmx.calls import GREETING, greeting_reply
from adapter.jmx.errors import OutOfTime, TargetDenied, TargetUnavailable
from adapter.jmx.feed import Feed
from sidecar.errors import ProtocolError

__all__ = ["Remaining", "Wire", "reason_of"]

_PIECE: Final = 1 << 16
_NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "UNEXPECTED_EOF_WHILE_READING"})

Remaining = Callable[[], float]


class Wire:
    """One greeted connection. ``remaining`` says how many seconds are left of the scrape."""

    def __init__(self, sock: socket.socket, remaining: Remaining, most: int) -> None:
        """Use a connected socket; see ``open``."""
        self._socket = sock
        self.remaining = remaining
        self.feed = Feed(self._more, most)

    @classmethod
    def open(
        cls,
        host: str,
        port: int,
        remaining: Remaining,
        most: int,
        *,
        context: ssl.SSLContext | None = None,
        longest: float = 10.0,
    ) -> "Wire":
        """Connect and greet. Raises TargetUnavailable, TargetDenied, OutOfTime, ProtocolError."""
        sock = _connected(host, port, min(_left(remaining), longest))
        wire = None
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                sock = _wrapped(sock, context, host, port)
            wire = cls(sock, remaining, most)
            wire.send(GREETING)
            wire.send(greeting_reply(wire.feed))
        except ProtocolError as error:
            raise TargetUnavailable(f"{_where(host, port)}: {error}") from error
        except OSError as error:
            raise TargetUnavailable(f"{_where(host, port)}: {reason_of(error)}") from error
        finally:
            if wire is None or wire.feed.at == 0:
                sock.close()
        return wire

    def send(self, data: bytes) -> None:
        """Send everything. Raises OSError, OutOfTime."""
        try:
            self._socket.settimeout(_left(self.remaining))
            self._socket.sendall(data)
        except TimeoutError as error:
            raise OutOfTime("the time is over while sending") from error

    def close(self) -> None:
        """Close it; also from another thread, which wakes one that reads."""
        with suppress(OSError):  # it is closed already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _more(self) -> bytes:
        try:
            self._socket.settimeout(_left(self.remaining))
            return self._socket.recv(_PIECE)
        except TimeoutError as error:
            raise OutOfTime("no answer within the scrape's time") from error


def _left(remaining: Remaining) -> float:
    seconds = remaining()
    if seconds <= 0:
        raise OutOfTime("the scrape's time is over")
    return seconds


def _connected(host: str, port: int, seconds: float) -> socket.socket:
    try:
        return socket.create_connection((host, port), timeout=seconds)
    except OSError as error:
        raise TargetUnavailable(f"{_where(host, port)}: {reason_of(error)}") from error


def _wrapped(sock: socket.socket, context: ssl.SSLContext, host: str, port: int) -> socket.socket:
    try:
        return context.wrap_socket(sock, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        sock.close()
        what = f"its certificate is not trusted ({error.verify_message}); see ssl.trustStore"
        raise TargetDenied(f"{_where(host, port)}: {what}") from error
    except (ssl.SSLError, ConnectionError) as error:
        sock.close()
        raise TargetUnavailable(f"{_where(host, port)}: {reason_of(error)}") from error


def _where(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reason_of(error: OSError) -> str:
    """Return what went wrong with a connection, and what to do where that is known."""
    if isinstance(error, TimeoutError):
        return "no answer to the connection"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, ssl.SSLError):
        word = getattr(error, "reason", None) or ""
        if "ALERT" in word and ("CERTIFICATE" in word or "HANDSHAKE" in word):
            return f"the JVM refuses our certificate or has none for us: see ssl.keyStore ({word})"
        if word in _NOT_TLS:
            return (
                "it does not speak TLS here: set ssl: false, or for a registry alone"
                f" RMI_REGISTRY_SSL_DISABLED=true ({word})"
            )
        return f"TLS fails ({word or error})"
    return error.strerror or str(error)
