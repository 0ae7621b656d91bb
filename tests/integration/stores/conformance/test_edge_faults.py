"""What every edge does when its store dies, freezes, forgets or refuses (reliability F5, F38)."""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

import pytest

from sidecar.errors import PermanentError, StoreUnavailable
from sidecar.stores.base import Edge
from tests.integration.stores.conformance.backend import Backend
from tests.integration.stores.conformance.kit import (
    HERE,
    Keeper,
    entry,
    eventually,
    running,
    wanted,
)

PLAIN = entry()
SECRET = "c4n4ry-s3cret"  # looked for in all that may be seen


def holds(backend: Backend, keeper: Keeper) -> Callable[[], Any]:
    """Return a question whether the store holds exactly what the keeper wants."""

    async def asked() -> bool:
        return await backend.raw() == backend.expected(keeper.desired.values())

    return asked


async def test_entries_removed_by_hand_are_back_within_two_seconds(backend: Backend) -> None:
    instances = [entry(port=port) for port in (21001, 21002, 21003)]
    keeper = Keeper(backend.edge())
    async with keeper.at_work():
        keeper.want(*instances)
        await keeper.settled()
        for each in instances[:2]:
            await backend.remove(each)
        await eventually(holds(backend, keeper), 2.0, "what was removed")


async def test_a_store_that_comes_back_empty_is_filled_within_two_seconds(
    backend: Backend,
) -> None:
    instances = [entry(port=port) for port in (21001, 21002, 21003)]
    keeper = Keeper(backend.edge())
    async with keeper.at_work():
        keeper.want(*instances)
        await keeper.settled()
        await backend.wipe()
        await eventually(holds(backend, keeper), 2.0, "what was wiped")


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_what_changed_while_the_store_was_down_is_exact_afterwards(
    backend: Backend, end: str
) -> None:
    first, second, third = (entry(port=port) for port in (21001, 21002, 21003))
    edge = backend.edge()
    keeper = Keeper(edge)
    async with keeper.at_work():
        keeper.want(first, second)
        await keeper.settled()
        await getattr(backend, end)()

        async def troubled() -> bool:
            return edge.trouble() is not None

        await eventually(troubled, 5.0, "trouble while the store is down")
        keeper.want(third)
        keeper.drop(first)
        await backend.start()
        await eventually(holds(backend, keeper), 5.0, "the last state")
        await keeper.settled()

        async def well() -> bool:
            return edge.trouble() is None

        await eventually(well, 5.0, "the end of trouble")


async def test_ten_changes_on_a_frozen_store_are_exact_afterwards(backend: Backend) -> None:
    instances = [entry(port=port) for port in range(21001, 21006)]
    flickering = entry(port=21099)
    keeper = Keeper(backend.edge())
    async with keeper.at_work():
        keeper.want(*instances, flickering)
        await keeper.settled()
        await backend.freeze()
        keeper.drop(flickering)
        for number in range(10):
            if number % 2:
                keeper.drop(instances[number // 2])
            else:
                keeper.want(entry(port=21011 + number))
            await asyncio.sleep(0.2)
        keeper.want(flickering)  # its removal may have been sent and not answered
        await backend.thaw()
        await eventually(holds(backend, keeper), 5.0, "the last state")
        await keeper.settled()
        await asyncio.sleep(0.5)  # a late answer to a write given up must undo nothing
        assert await holds(backend, keeper)()


async def test_a_store_that_is_down_at_start_is_waited_for(backend: Backend) -> None:
    await backend.stop()
    edge = backend.edge()
    async with running(edge):
        async with asyncio.timeout(10):
            with pytest.raises(StoreUnavailable):
                await edge.ping()
            with pytest.raises(StoreUnavailable):
                await edge.write(wanted(PLAIN))
            with pytest.raises(StoreUnavailable):
                await edge.audit({}, HERE)
        await backend.start()
        await eventually(lambda: _written(edge), 5.0, "the first write")
        assert await backend.raw() == backend.expected([PLAIN])


async def test_the_name_of_a_store_is_resolved_again(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = {"store.example.org": "127.0.0.2"}  # where nothing listens, at first
    resolve = socket.getaddrinfo

    def resolved(host: Any, *args: Any, **kwargs: Any) -> Any:
        return resolve(addresses.get(host, host), *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    edge = backend.edge(host="store.example.org")
    async with running(edge):
        async with asyncio.timeout(10):
            with pytest.raises(StoreUnavailable):
                await edge.write(wanted(PLAIN))
        addresses["store.example.org"] = "127.0.0.1"
        await eventually(lambda: _written(edge), 5.0, "the write at the new address")
        assert await backend.raw() == backend.expected([PLAIN])


async def test_credentials_are_never_seen(
    backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    edge = backend.edge(secret=SECRET)
    seen = [edge.url, repr(edge)]
    async with running(edge):
        for act in (None, backend.stop):
            if act is not None:
                await act()
            try:
                async with asyncio.timeout(10):
                    await edge.write(wanted(PLAIN))
            except (StoreUnavailable, PermanentError) as error:
                cause: BaseException | None = error
                while cause is not None:
                    seen.append(repr(cause))
                    cause = cause.__cause__ or cause.__context__
            seen.append(str(edge.trouble()))
    assert SECRET not in "\n".join([*seen, caplog.text])


async def _written(edge: Edge) -> bool:
    try:
        return await edge.write(wanted(PLAIN)) == {}
    except StoreUnavailable:
        return False
