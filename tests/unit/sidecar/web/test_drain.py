"""Draining over HTTP, from the client's command to a registrar that is told."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from sidecar import cli
from sidecar.catalog.work import Step
from sidecar.config.units import Endpoint
from sidecar.errors import ApiError, EngineDenied, EngineUnavailable, PinnaceError
from sidecar.web import drain_client
from sidecar.web.drain import drain_routes
from tests.support.ports import free_port

MARKED = Step(phase="marked", seconds=0.001, instances=("vm:box:80",))
STEPS = (
    MARKED,
    Step(phase="waiting", seconds=1.0, in_flight=3),
    Step(phase="waiting", seconds=1.5, left=8.4),
    Step(phase="done", seconds=2.0),
    Step(phase="stopped", seconds=2.5),
)


class Drains:
    """Yields steps, then raises, waits for ever or ends."""

    def __init__(self, *steps: Step, error: PinnaceError | None = None, waits: bool = False):
        self.steps = steps
        self.error = error
        self.waits = waits
        self.asked: list[tuple[str, float | None, bool]] = []
        self.undone: list[str] = []
        self.left = asyncio.Event()

    async def drain(
        self, reference: str, *, timeout: float | None = None, stop: bool = True
    ) -> AsyncGenerator[Step, None]:
        self.asked.append((reference, timeout, stop))
        try:
            for step in self.steps:
                yield step
            if self.error is not None:
                raise self.error
            if self.waits:
                await asyncio.Event().wait()
        finally:
            self.left.set()

    async def undo(self, reference: str) -> None:
        if self.error is not None:
            raise self.error
        self.undone.append(reference)


@asynccontextmanager
async def serving(drains: Drains) -> AsyncIterator[int]:
    @web.middleware
    async def told(request: web.Request, handler: object) -> web.StreamResponse:
        try:
            found: web.StreamResponse = await handler(request)  # type: ignore[operator]
            return found
        except ApiError as error:
            return web.Response(status=error.status, text=str(error))

    app = web.Application(middlewares=[told])
    app.add_routes(drain_routes(drains))
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield port
    finally:
        await runner.cleanup()


async def command(port: int, *words: str) -> int:
    arguments = ["pinnace", "drain", "--http", f"127.0.0.1:{port}", *words]
    return await asyncio.to_thread(cli.main, arguments)


async def test_the_command_tells_each_step(capsys: pytest.CaptureFixture[str]) -> None:
    drains = Drains(*STEPS)
    async with serving(drains) as port:
        assert await command(port, "box") == 0
    assert [line[11:] for line in capsys.readouterr().out.splitlines()] == [
        " marked: vm:box:80",
        " waiting: 3 in flight",
        " waiting: 8 s to go",
        " done: nothing in flight",
        " stopped",
    ]
    assert drains.asked == [("box", None, True)]


async def test_the_command_passes_its_options_on(capsys: pytest.CaptureFixture[str]) -> None:
    drains = Drains(MARKED, Step(phase="overdue", seconds=90.0, in_flight=2))
    async with serving(drains) as port:
        assert await command(port, "a/b c", "--timeout", "1m30s", "--no-stop", "--json") == 3
    assert drains.asked == [("a/b c", 90.0, False)]
    steps = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [step["phase"] for step in steps] == ["marked", "overdue"]


@pytest.mark.parametrize(
    ("steps", "error", "told"),
    [
        ((), ApiError(404, "there is no container 'box'"), "there is no container 'box'"),
        ((), EngineUnavailable("gone"), "gone"),
        ((), EngineDenied("no permission"), "no permission"),
        ((MARKED,), EngineDenied("no permission"), "box: no permission"),
    ],
)
async def test_what_does_not_work_is_told_and_is_a_failure(
    steps: tuple[Step, ...], error: PinnaceError, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(Drains(*steps, error=error)) as port:
        assert await command(port, "box") == 1
    assert capsys.readouterr().err == f"pinnace drain: {told}\n"


async def test_where_nobody_listens_or_somebody_else_does_it_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await command(free_port(), "box") == 1
    assert "refused" in capsys.readouterr().err
    assert await command(free_port(), "box", "--undo") == 1
    assert await command(free_port(), "box", "--timeout", "soon") == 2
    assert "--timeout" in capsys.readouterr().err


async def test_a_mark_is_taken_back_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    drains = Drains()
    async with serving(drains) as port:
        assert await command(port, "box", "--undo") == 0
        assert capsys.readouterr().out == "box takes new work again\n"
        drains.error = ApiError(409, "box does not run")
        assert await command(port, "box", "--undo") == 1
        assert capsys.readouterr().err == "pinnace drain: box does not run\n"
    assert drains.undone == ["box"]


async def test_a_client_that_goes_away_ends_the_drain() -> None:
    drains = Drains(MARKED, waits=True)
    async with serving(drains) as port, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}/v1/pinnace/drain/box"
        async with session.put(url) as response:
            assert json.loads(await response.content.readline())["phase"] == "marked"
            assert not drains.left.is_set()
            response.close()
        async with asyncio.timeout(2):
            await drains.left.wait()


async def test_an_interrupt_ends_the_connection_and_says_what_it_means(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drains = Drains(MARKED, waits=True)

    def interrupted(line: str) -> None:
        assert line
        raise KeyboardInterrupt

    monkeypatch.setattr(drain_client, "_say", interrupted)
    async with serving(drains) as port:
        place = Endpoint("0.0.0.0", port)
        status = await asyncio.to_thread(
            lambda: drain_client.drain(place, "box", {}, as_json=False)
        )
        assert status == 128 + signal.SIGINT
        async with asyncio.timeout(2):
            await drains.left.wait()
    assert "takes new work again" in capsys.readouterr().err


async def test_a_wrong_timeout_is_refused() -> None:
    async with serving(Drains()) as port, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}/v1/pinnace/drain/box?timeout=soon"
        async with session.put(url) as response:
            assert (response.status, (await response.text())[:9]) == (400, "timeout: ")
