"""``pinnace lb show`` against whoever answers."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from sidecar import cli
from sidecar.config.units import Endpoint
from sidecar.web import lb_client
from tests.support.ports import free_port
from tests.unit.sidecar.web.test_lb_table import status


@asynccontextmanager
async def answering(
    text: str, code: int = 200, token: str = ""
) -> AsyncIterator[Callable[..., Awaitable[int]]]:
    """Yield a way to run the command against a server that answers this."""

    async def handler(request: web.Request) -> web.Response:
        assert request.headers.get("X-Consul-Token", "") == token
        return web.Response(text=text, status=code)

    app = web.Application()
    app.add_routes([web.get("/v1/pinnace/lb", handler)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]

    async def run(*services: str, as_json: bool = False) -> int:
        return await asyncio.to_thread(
            lb_client.show, Endpoint("0.0.0.0", port), services, token=token, as_json=as_json
        )

    try:
        yield run
    finally:
        await runner.cleanup()


async def test_what_is_answered_is_printed_as_a_table_or_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with answering(json.dumps(status()), token="t" * 16) as run:
        assert await run() == 0
        assert capsys.readouterr().out.startswith("haproxy 2.6.12 on 127.0.0.1:8080: ")
        assert await run(as_json=True) == 0
        assert json.loads(capsys.readouterr().out) == status()
        assert await run("api", as_json=True) == 0
        assert set(json.loads(capsys.readouterr().out)["hosts"].values()) == {"api"}


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("null", 200, "pinnace lb: no load balancer runs there (lb.kind = none)\n"),
        ("token needed\x1b", 403, "pinnace lb: token needed\\x1b\n"),
        ("", 404, "answers 404: is this a Pinnace?\n"),
        ("[]", 200, "answers something else: is this a Pinnace of this version?\n"),
        ("<html>", 200, "answers something else: is this a Pinnace of this version?\n"),
    ],
)
async def test_each_other_answer_is_one_line_and_a_failure(
    text: str, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with answering(text, code) as run:
        assert await run() == 1
        captured = capsys.readouterr()
        assert captured.err.endswith(words)
        assert captured.err.count("\n") == 1
        assert captured.out == ""


async def test_a_service_that_is_not_routed_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    async with answering(json.dumps(status())) as run:
        assert await run("web", "nobody") == 1
    assert capsys.readouterr().err == "pinnace lb: no service 'nobody' is routed\n"


def test_nobody_there_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    assert cli.main(["pinnace", "lb", "show", "--http", f"127.0.0.1:{port}"]) == 1
    assert capsys.readouterr().err == (
        f"pinnace lb: 127.0.0.1:{port}: Connection refused; does pinnace up run there? "
        "(--http ADDR:PORT)\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "the following arguments are required: action"),
        (["list"], "invalid choice: 'list'"),
        (["show", "--jso"], "there is no option '--jso'; did you mean --json?"),
        (["show", "web"], "unexpected argument 'web'"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        cli.main(["pinnace", "lb", *words])
    assert raised.value.code == 2
    assert said in capsys.readouterr().err
