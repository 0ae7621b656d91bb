"""Lines sent on to another StatsD server as they came, many in a datagram."""

import asyncio
import socket
from collections.abc import Sequence

from adapter.exposition import Family
from sidecar.config.units import Endpoint
from sidecar.errors import PermanentError
from sidecar.runtime.log import get_logger
from sidecar.runtime.reason import reason_of

__all__ = ["Relay"]

_log = get_logger("statsd")


class Relay:
    """Packs lines; full datagrams go at once, the rest with ``flush``.

    What cannot be sent is lost, as anything in StatsD; the first time of a row is logged.
    """

    def __init__(self, target: Endpoint, length: int) -> None:
        """Send to ``target``, ``length`` octets at the most each time."""
        self._target = target
        self._length = length
        self._lines: list[bytes] = []
        self._size = 0
        self._sock: socket.socket | None = None
        self._is_failing = False
        self.packets = 0
        self.long_lines = 0
        self.lines = 0

    async def open(self) -> None:
        """Find the address, again each time. Raises PermanentError when there is none."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(*self._target, type=socket.SOCK_DGRAM)
        except OSError as error:
            raise PermanentError(f"cannot find {self._target}: {reason_of(error)}") from error
        family, kind, protocol, _, address = found[0]
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.connect(address)
        except OSError as error:
            sock.close()
            raise PermanentError(f"cannot reach {self._target}: {reason_of(error)}") from error
        self.close()
        self._sock = sock

    def close(self) -> None:
        """Send no more."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def take(self, data: bytes) -> None:
        """Take the lines of a datagram."""
        for line in data.split(b"\n"):
            if not line:
                continue
            if len(line) > self._length - 1:
                self.long_lines += 1
                continue
            if self._size + len(line) + 1 > self._length:
                self.flush()
            self._lines.append(line)
            self._size += len(line) + 1
            self.lines += 1

    def flush(self) -> None:
        """Send what is waiting."""
        if not self._lines:
            return
        packet = b"\n".join(self._lines) + b"\n"
        self._lines.clear()
        self._size = 0
        self.packets += 1
        try:
            if self._sock is not None:
                self._sock.send(packet)
            self._is_failing = False
        except OSError as error:
            if not self._is_failing:
                _log.warning("cannot relay", target=self._target, reason=reason_of(error))
            self._is_failing = True

    def families(self) -> Sequence[Family]:
        """Return what was sent on."""
        return [
            self._family("packets", "Datagrams sent on.", self.packets),
            self._family("long_lines", "Lines too long to be sent on.", self.long_lines),
            self._family("lines_relayed", "Lines packed to be sent on.", self.lines),
        ]

    def _family(self, name: str, text: str, value: int) -> Family:
        family = Family(f"statsd_exporter_relay_{name}_total", "counter", text)
        family.add({"target": str(self._target)}, value)
        return family
