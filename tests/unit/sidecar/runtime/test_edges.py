"""Sockets of the runtime: listening, systemd's notification, the watchdog."""

import asyncio
import socket
from pathlib import Path

import pytest

from sidecar.errors import AddressInUse
from sidecar.runtime.clock import FakeClock
from sidecar.runtime.listen import bind
from sidecar.runtime.notify import Notifier
from sidecar.runtime.watchdog import Watchdog


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_bound_socket_does_not_block(host: str) -> None:
    with bind(host, 0, kind=socket.SOCK_STREAM, option="--http") as sock:
        assert sock.getblocking() is False
        assert sock.getsockname()[1] > 0


@pytest.mark.parametrize(
    ("kind", "words"), [(socket.SOCK_STREAM, "TCP"), (socket.SOCK_DGRAM, "UDP")]
)
def test_a_taken_port_is_named_with_what_to_do(kind: socket.SocketKind, words: str) -> None:
    with bind("127.0.0.1", 0, kind=kind, option="--dns") as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressInUse) as caught:
            bind("127.0.0.1", port, kind=kind, option="--dns")
    message = str(caught.value)
    assert f"{words} port {port} on 127.0.0.1 is taken" in message
    assert "--dns ADDR:PORT" in message
    assert "\n" not in message


def test_an_address_of_another_machine_is_explained() -> None:
    with pytest.raises(AddressInUse, match="cannot listen on TCP port 80 on 192"):
        bind("192.0.2.1", 80, kind=socket.SOCK_STREAM, option="--http")


def test_reuse_port_lets_two_listen() -> None:
    with bind("127.0.0.1", 0, kind=socket.SOCK_DGRAM, option="--dns", reuse_port=True) as one:
        port = one.getsockname()[1]
        with bind(
            "127.0.0.1", port, kind=socket.SOCK_DGRAM, option="--dns", reuse_port=True
        ) as two:
            assert two.getsockname()[1] == port


def _manager(tmp_path: Path) -> socket.socket:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.setblocking(False)
    return manager


def test_systemd_hears_ready_alive_and_stopping(tmp_path: Path) -> None:
    with _manager(tmp_path) as manager:
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1"})
        notifier.ready("serving")
        notifier.alive()
        notifier.stopping()
        heard = [manager.recv(100) for _ in range(3)]
    assert heard == [b"READY=1\nSTATUS=serving", b"WATCHDOG=1", b"STOPPING=1"]


def test_without_a_watchdog_in_the_unit_none_is_fed(tmp_path: Path) -> None:
    with _manager(tmp_path) as manager:
        Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}).alive()
        with pytest.raises(BlockingIOError):
            manager.recv(100)


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "/nowhere/socket"}])
def test_outside_systemd_nothing_happens(environ: dict[str, str]) -> None:
    Notifier(environ).ready("x")


def test_an_abstract_socket_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0pinnace-notify-test")
        Notifier({"NOTIFY_SOCKET": "@pinnace-notify-test"}).stopping()
        assert manager.recv(100) == b"STOPPING=1"


class _LateClock(FakeClock):
    """Wakes every sleeper some seconds late."""

    def __init__(self, late: float) -> None:
        super().__init__()
        self._late = late

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds + self._late)


@pytest.mark.parametrize(("late", "stalled"), [(0.0, False), (0.5, True)])
async def test_the_watchdog_sees_a_held_loop(
    late: float, stalled: bool, caplog: pytest.LogCaptureFixture
) -> None:
    clock = _LateClock(late)
    watchdog = Watchdog(clock, Notifier({}))
    served = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(watchdog.run(served.set))
        await asyncio.wait_for(served.wait(), 1)
        await clock.advance(1.1)
        task.cancel()
    assert watchdog.lag == pytest.approx(late)
    assert ("event loop was held" in caplog.text) is stalled
