"""Several processes that listen on the same addresses: the kernel shares connections out."""

import os
import signal
import time
from collections.abc import Callable
from typing import Final

from ambassador.frame.address import Address
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.log import get_logger

__all__ = ["in_workers", "nth", "reload_all"]

_log = get_logger("workers")
_TICK: Final = 0.2
_STABLE: Final = 10.0


def nth(address: Address, number: int) -> Address:
    """Return the admin address of a worker: the port, or path, that many further."""
    if not number or not (address.port or address.host.startswith("/")):
        return address  # port 0: any port
    if address.host.startswith("/"):
        return Address(f"{address.host}.{number}", 0)
    return Address(address.host, address.port + number)


def reload_all() -> None:
    """Have every worker read its configuration again; called by one of them."""
    os.kill(os.getppid(), signal.SIGHUP)


def in_workers(count: int, work: Callable[[int], int]) -> int:
    """Run ``work`` in so many processes until a signal; return the worst status.

    One that ends by itself is started again, unless it ended because of its configuration.
    """
    parent = _Parent(work)
    for number in range(count):
        parent.start(number)
    return parent.watch()


class _Parent:
    def __init__(self, work: Callable[[int], int]) -> None:
        self._work = work
        self._numbers: dict[int, tuple[int, float]] = {}
        self._backoff = Backoff(0.2, 10.0)
        self._is_stopping = False
        self._status = 0
        for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(one, self._pass_on)

    def start(self, number: int) -> None:
        pid = os.fork()
        if pid == 0:
            for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(one, signal.SIG_DFL)
            os._exit(self._work(number))
        self._numbers[pid] = (number, time.monotonic())

    def watch(self) -> int:
        while self._numbers:
            try:
                pid, status = os.wait()
            except InterruptedError:
                continue
            self._ended(pid, os.waitstatus_to_exitcode(status))
        return self._status

    def _ended(self, pid: int, status: int) -> None:
        number, since = self._numbers.pop(pid)
        if self._is_stopping or status in {1, 2, 78}:
            self._status = max(self._status, abs(status))
            if status and not self._is_stopping:
                self._stop(signal.SIGTERM)
            return
        _log.error("worker ended", worker=number, status=status)
        if time.monotonic() - since > _STABLE:
            self._backoff.reset()
        signal.sigtimedwait([], self._backoff.next())
        if not self._is_stopping:
            self.start(number)

    def _pass_on(self, number: int, _: object) -> None:
        if number == signal.SIGHUP:
            for pid in self._numbers:
                os.kill(pid, number)
        else:
            self._stop(number)

    def _stop(self, number: int) -> None:
        self._is_stopping = True
        for pid in self._numbers:
            os.kill(pid, number)
