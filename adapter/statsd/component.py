"""The component ``statsd``: lines in, metrics out, until it is cancelled."""

import asyncio
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from adapter.exposition import Family
from adapter.files import text_of
from adapter.process import PROCESS, pinnace_families, process_families
from adapter.statsd.families import OWN, own_families, series_families
from adapter.statsd.machine import Machine
from adapter.statsd.mapping import Mapping, mapping_of
from adapter.statsd.options import Options
from adapter.statsd.relay import Relay
from adapter.statsd.sockets import DatagramSocket, TcpListener, udp_socket, unix_socket
from sidecar import __version__
from sidecar.errors import ConfigError, PinnaceError
from sidecar.metrics import FAMILIES
from sidecar.runtime.clock import Clock, SystemClock
from sidecar.runtime.log import get_logger

__all__ = ["Statsd", "mapping_from"]

_log = get_logger("statsd")

_TICK: Final = 1.0
_RESOLVE: Final = 60.0
_MOST_DEFECTS: Final = 10  # tracebacks in the log


def mapping_from(path: str) -> Mapping:
    """Return the mappings of a file; nothing for none. Raises ConfigError."""
    return mapping_of(text_of(path), path) if path else Mapping()


class Statsd:
    """Receives on every address of the options."""

    name = "statsd"

    def __init__(self, options: Options, mapping: Mapping, clock: Clock | None = None) -> None:
        """Nothing is opened yet."""
        self._options = options
        self._clock = SystemClock() if clock is None else clock
        self._relay = Relay(options.relay, options.relay_length) if options.relay else None
        self._datagrams: list[DatagramSocket] = []
        self._tcp: TcpListener | None = None
        self._drops_before = 0
        self._drops = 0
        self.machine = Machine(
            mapping,
            styles=options.styles,
            limits=options.limits,
            most_series=options.most_series,
            cache_size=options.cache_size,
            set_window=options.set_window,
            reserved=OWN | PROCESS | frozenset(FAMILIES),
            defect=self._defect,
        )
        self.machine.turn(self._clock.monotonic())

    async def run(self, ready: Callable[[], None]) -> None:
        """Receive until cancelled. Raises AddressInUse and PermanentError."""
        loop = asyncio.get_running_loop()
        try:
            if self._relay is not None:
                await self._relay.open()
            await self._open(loop)
            ready()
            await self._pass_time()
        finally:
            self._close(loop)

    async def reread(self) -> None:
        """Read the mappings again; a wrong file is told of, and the old rules stay."""
        if not self._options.mapping:
            _log.warning("there is no file of mappings to read again")
            return
        reloads = self.machine.tally.reloads
        try:
            mapping = await asyncio.to_thread(mapping_from, self._options.mapping)
        except ConfigError as error:
            reloads["failure"] += 1
            for problem in error.problems:
                _log.error("cannot take the new mappings, the old ones stay", reason=problem)
            return
        reloads["success"] += 1
        self.machine.reload(mapping)
        for warning in mapping.warnings:
            _log.warning("mapping", about=warning)
        _log.info("took new mappings", rules=len(mapping.rules))

    async def families(self) -> Iterator[Family]:
        """Return everything that a scrape gets, the senders' series made one family at a time."""
        facts, self._drops = await asyncio.to_thread(self._look)
        return self._families(facts)

    def _look(self) -> tuple[list[Family], int]:
        has_udp = bool(self._datagrams) and self._options.udp is not None
        return process_families(), self._datagrams[0].drops() if has_udp else 0

    def _families(self, facts: list[Family]) -> Iterator[Family]:
        self.machine.tally.udp_drops = self._drops_before + self._drops
        yield from own_families(
            self.machine, __version__, self._relay.families() if self._relay else ()
        )
        yield from facts
        yield from pinnace_families()
        yield from series_families(self.machine, self._clock.monotonic())

    async def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        options, tally = self._options, self.machine.tally
        if options.udp is not None:
            sock = udp_socket(options.udp, options.read_buffer)
            self._listen(DatagramSocket(sock, self._take, self._udp_received), loop)
        if options.unixgram:
            sock = await asyncio.to_thread(
                unix_socket, options.unixgram, options.unix_mode, options.read_buffer
            )
            self._listen(DatagramSocket(sock, self._take, self._unixgram_received), loop)
        if options.tcp is not None:
            self._tcp = TcpListener(options.tcp, self._take, tally)
            await self._tcp.start(loop)
        _log.info("receiving", udp=options.udp, tcp=options.tcp, unixgram=options.unixgram or None)

    def _listen(self, datagrams: DatagramSocket, loop: asyncio.AbstractEventLoop) -> None:
        self._datagrams.append(datagrams)
        datagrams.start(loop)

    def _close(self, loop: asyncio.AbstractEventLoop) -> None:
        self._drops_before, self._drops = self._drops_before + self._drops, 0
        for datagrams in self._datagrams:
            datagrams.stop(loop)
        had_unixgram = len(self._datagrams) > (self._options.udp is not None)
        self._datagrams.clear()
        if had_unixgram and not self._options.unixgram.startswith("@"):
            with suppress(OSError):
                Path(self._options.unixgram).unlink()
        if self._tcp is not None:
            self._tcp.stop()
            self._tcp = None
        if self._relay is not None:
            self._relay.flush()
            self._relay.close()

    async def _pass_time(self) -> None:
        resolved = self._clock.monotonic()
        while True:
            await self._clock.sleep(_TICK)
            now = self._clock.monotonic()
            self.machine.turn(now)
            if self._relay is not None:
                self._relay.flush()
                if now - resolved > _RESOLVE:
                    resolved = now
                    with suppress(PinnaceError):  # the old address is better than none
                        await self._relay.open()

    def _take(self, data: bytes) -> None:
        if self._relay is not None:
            self._relay.take(data)
        self.machine.take(data, self._clock.monotonic())

    def _udp_received(self, count: int) -> None:
        self.machine.tally.udp_packets += count
        self.machine.tally.flushes += 1

    def _unixgram_received(self, count: int) -> None:
        self.machine.tally.unixgram_packets += count
        self.machine.tally.flushes += 1

    def _defect(self, line: bytes) -> None:
        if self.machine.tally.defects <= _MOST_DEFECTS:
            _log.error("cannot take a line", line=repr(line[:200]), trace=traceback.format_exc())
