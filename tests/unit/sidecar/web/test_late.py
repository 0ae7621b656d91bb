import asyncio
from collections.abc import Iterable

import pytest
from aiohttp import ClientSession, web

from sidecar.web.late import LateRoutes


async def _echo(request: web.Request) -> web.Response:
    return web.Response(text=request.match_info["name"])


class _Loader:
    """Counts how often the routes were loaded; the first time may fail."""

    def __init__(self, *, fails: bool = False) -> None:
        self.loads = 0
        self._fails = fails

    async def __call__(self) -> Iterable[web.RouteDef]:
        self.loads += 1
        await asyncio.sleep(0)
        if self._fails:
            self._fails = False
            raise RuntimeError("not this time")
        return [web.get("/v1/echo/{name}", _echo), web.put("/v1/echo/{name}", _echo)]


async def _statuses(loader: _Loader, *asked: tuple[str, str]) -> list[tuple[int, str]]:
    app = web.Application()
    app.router.register_resource(LateRoutes("/v1", loader))
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]

    async def ask(session: ClientSession, method: str, path: str) -> tuple[int, str]:
        async with session.request(method, f"http://{host}:{port}{path}") as response:
            return response.status, response.headers.get("Allow", await response.text())

    try:
        async with ClientSession() as session:
            return list(await asyncio.gather(*(ask(session, *one) for one in asked)))
    finally:
        await runner.cleanup()


async def test_routes_are_loaded_once_however_many_ask_at_once() -> None:
    loader = _Loader()
    answers = await _statuses(loader, *[("GET", f"/v1/echo/{n}") for n in range(5)])
    assert answers == [(200, str(n)) for n in range(5)]
    assert loader.loads == 1


async def test_an_unknown_path_is_404_and_a_wrong_method_says_which_are_right() -> None:
    unknown, wrong = await _statuses(_Loader(), ("GET", "/v1/no"), ("DELETE", "/v1/echo/x"))
    assert unknown[0] == 404
    assert wrong == (405, "GET,HEAD,PUT")


async def test_what_is_not_below_the_path_loads_nothing() -> None:
    loader = _Loader()
    assert (await _statuses(loader, ("GET", "/v2/echo/x")))[0][0] == 404
    assert loader.loads == 0


async def test_a_load_that_failed_is_tried_again_by_the_next_request() -> None:
    loader = _Loader(fails=True)
    first, second = sorted(await _statuses(loader, ("GET", "/v1/echo/a"), ("GET", "/v1/echo/a")))
    assert (first[0], second[0]) == (200, 500)


def test_the_resource_describes_itself_and_stays_where_it_is() -> None:
    late = LateRoutes("/v1", _Loader())
    assert (late.canonical, late.get_info()) == ("/v1", {"path": "/v1"})
    assert (len(late), list(late)) == (0, [])
    assert late.raw_match("/v1")
    assert not late.raw_match("/v1/echo")
    with pytest.raises(RuntimeError):
        late.add_prefix("/x")
    with pytest.raises(RuntimeError):
        late.url_for()
