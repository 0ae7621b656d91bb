"""UDP on one bound socket: many datagrams at a time where the system can do that."""

import asyncio
import socket

from dnsd.bursts import Bursts
from dnsd.datagrams import Datagrams
from dnsd.service import Service
from dnsd.tallies import Channels
from sidecar.runtime.log import get_logger

__all__ = ["UdpServer"]

_log = get_logger("dnsd")


class UdpServer:
    """Answers datagrams on one bound socket."""

    def __init__(self, sock: socket.socket, service: Service, channels: Channels) -> None:
        """Take a non-blocking socket, which stays the caller's to close."""
        self._datagrams = Datagrams(sock, service, channels)
        self._bursts: Bursts | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Serve from now on."""
        try:
            self._bursts = Bursts(self._datagrams, loop)
        except OSError as error:
            _log.info("datagrams one by one", reason=error)
            loop.add_reader(self._datagrams.sock, self._datagrams.read)
        else:
            self._bursts.start()

    def stop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read nothing more."""
        if self._bursts is None:
            loop.remove_reader(self._datagrams.sock)
        else:
            self._bursts.stop()
