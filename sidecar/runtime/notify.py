"""systemd's notification protocol (sd_notify(3)); does nothing outside systemd."""

import contextlib
import socket
from collections.abc import Mapping

__all__ = ["Notifier"]


class Notifier:
    """Sends state lines to the socket named by ``NOTIFY_SOCKET``."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Read ``NOTIFY_SOCKET`` and ``WATCHDOG_USEC`` from the environment given."""
        path = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._watchdog = bool(environ.get("WATCHDOG_USEC"))

    def ready(self, status: str) -> None:
        """Say that start-up is complete."""
        self._send(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        """Say that the stop has begun."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Feed the watchdog, when the unit has one."""
        if self._watchdog:
            self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        # A manager that is gone or slow must never stop us.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(text.encode(), self._address)
