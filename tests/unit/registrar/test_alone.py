import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from registrar import alone
from registrar.daemon import main
from registrar.options import Options
from registrar.rehearsal import Rehearsal
from sidecar.config.model import DockerSettings, LogSettings, RegistrarSettings
from sidecar.engine.client import Engine
from sidecar.errors import EngineUnavailable, StoreUnavailable
from tests.support.fake_edge import FakeEdge
from tests.support.stub_engine import StubEngine, answer


def options(url: str = "unix:///nowhere", **settings: Any) -> Options:
    return Options(
        stores=("embedded:",),
        settings=RegistrarSettings(**settings),
        docker=DockerSettings(url=url),
        log=LogSettings(),
    )


@contextmanager
def hostname(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: name)
        yield


async def test_the_hosts_name_is_asked_of_the_engine_only_in_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = StubEngine(tmp_path / "s")
    stub.answers["info"] = answer(b'{"ID":"e","Name":"real-host","ServerVersion":"1"}')
    async with stub.running():
        engine = Engine(stub.url)
        try:
            with hostname("4f1c0a9b8d7e", monkeypatch):
                for contained, asks, compat, expected in (
                    (False, "auto", False, "4f1c0a9b8d7e"),
                    (True, "auto", False, "real-host"),
                    (True, "auto", True, "4f1c0a9b8d7e"),
                    (True, "host", False, "4f1c0a9b8d7e"),
                    (False, "engine", False, "real-host"),
                ):
                    monkeypatch.setattr(alone, "is_in_container", lambda is_so=contained: is_so)
                    given = options(node_from=asks, compat=compat, ip="192.0.2.7")
                    place = await alone._place(given, engine)
                    assert (place.node, place.address) == (expected, "192.0.2.7")
        finally:
            await engine.close()


async def test_an_engine_that_does_not_say_its_name_ends_compat_only(tmp_path: Path) -> None:
    engine = Engine(f"unix://{tmp_path}/none")
    try:
        with pytest.raises(EngineUnavailable):
            await alone._node(RegistrarSettings(node_from="engine", compat=True), "own", engine)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await alone._node(RegistrarSettings(node_from="engine"), "own", engine)
    finally:
        await engine.close()


async def test_n_attempts_are_n_more_pings() -> None:
    edge, pings = FakeEdge(), []
    edge.is_down = True
    ping = edge.ping

    async def counted() -> None:
        pings.append(1)
        await ping()

    edge.ping = counted  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        await alone._answering([edge], options(retry_attempts=2, retry_interval=0.01))
    assert len(pings) == 3
    await alone._answering([edge], options(retry_attempts=-1))
    assert len(pings) == 3, "for ever is no reason to wait at the start"


def test_a_start_that_cannot_work_is_told_once_with_its_status(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert main(options("ftp://nowhere")) == 1
    assert main(options("unix:///nowhere", compat=True, node="vm", ip="192.0.2.7")) == 1
    assert caplog.messages == ["cannot start", "cannot start"]


def test_a_preview_is_printed_for_people_and_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def rehearsed(*_: object, **_settings: object) -> Rehearsal:
        return Rehearsal({"embedded:": ()}, (), {})

    monkeypatch.setattr(alone, "rehearsed", rehearsed)
    previews: tuple[Literal["text", "json"], ...] = ("text", "json")
    for preview in previews:
        given = options(f"unix://{tmp_path}/none", node="vm", ip="192.0.2.7")
        asked = Options(
            stores=given.stores, settings=given.settings, docker=given.docker, log=given.log,
            preview=preview,
        )  # fmt: skip
        assert main(asked) == 0
    text, _, data = capsys.readouterr().out.partition("\n")
    assert text == "embedded:: 0 instances"
    assert json.loads(data) == {
        "stores": {"embedded:": []},
        "removed": {"embedded:": []},
        "problems": [],
    }
