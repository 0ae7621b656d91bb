"""Hostile labels in the files that real programs check and run (reliability T1)."""

import asyncio
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sidecar.catalog.changes import Put, apply
from sidecar.catalog.model import EMPTY, Instance
from templater.certificates import found_in
from templater.haproxy import process as haproxy_process
from templater.haproxy.directory import CONFIG, Directory
from templater.haproxy.model import NOTHING
from templater.haproxy.process import Haproxy
from templater.haproxy.render import Renderer
from templater.haproxy.slots import grown
from templater.names import Address, Port, SocketAddress
from templater.nginx import process as nginx_process
from templater.nginx.abilities import fitting
from templater.nginx.directory import CANDIDATE, NginxDirectory
from templater.nginx.place import place_of
from templater.nginx.process import Nginx, asked_build
from templater.nginx.render import Renderer as NginxRenderer
from templater.routes import Routes, routes_of
from templater.securing import secured
from tests.integration.templater.harness import free_port
from tests.support.certificates import make
from tests.unit.templater.hostile import EVIL, GOOD, META, hostile_instance

HOST = Address("127.0.0.1")
FIELDS = ("id", "node", "address", "service", "tag", "key")


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Much is checked at once here, beside other tests."""
    monkeypatch.setattr(haproxy_process, "_CHECK", 60.0)
    monkeypatch.setattr(nginx_process, "_CHECK", 60.0)


def attackers() -> Iterator[Instance]:
    """Yield instances that attack by each field with each value, and with random text by all."""
    # What is checked here is that none of it is special, not that it is unpredictable.
    dice = random.Random(6)
    letters = [chr(code) for code in range(0x250)] + [
        chr(dice.randrange(0xD800)) for _ in range(99)
    ]
    number = 0

    def one(meta: dict[str, str], **fields: Any) -> Instance:
        nonlocal number
        number += 1
        values = {
            "id": "x", "node": "n", "service": f"s{number}", "address": "192.0.2.1", "tag": "t",
            "key": "k", "port": 80, "weight": 1, "meta": {**GOOD, **meta}, **fields,
        }  # fmt: skip
        values["meta"].pop("pinnace-tcp-listen", None)
        return hostile_instance(values)

    for at, evil in enumerate(EVIL):
        for field in FIELDS:
            yield one({}, **{field: evil})
        for key in META[at % 2 :: 2]:
            yield one({key: evil})
        for key in META[1 - at % 2 :: 2]:
            yield one({key: GOOD[key] + evil})
    for _ in range(60):
        text = "".join(dice.choices(letters, k=12))
        yield one(dict.fromkeys(META, text), **dict.fromkeys(FIELDS, text))


async def routes_in(tmp_path: Path) -> Routes:
    folder = tmp_path / "certificates"
    folder.mkdir()
    for name in ("default", "example.org", "shared"):
        await asyncio.to_thread(make, folder, name)
    found = await asyncio.to_thread(found_in, folder, {})
    assert found.problems == ()
    routes = routes_of(apply(EMPTY, [Put(one) for one in attackers()]), ("consul",))
    assert len(routes.upstreams) > 500
    listen = SocketAddress(HOST, Port(free_port()))
    return secured(routes, listen, 8443, found.certificates, http2=True)


@pytest.mark.haproxy
async def test_haproxy_takes_the_file_with_its_sections_and_no_other(tmp_path: Path) -> None:
    model = grown(NOTHING, await routes_in(tmp_path))
    listen = SocketAddress(HOST, Port(free_port()))
    renderer = await asyncio.to_thread(Renderer, listen, HOST, threads=1, maxconn=100)
    files = renderer.files(model)
    directory = Directory(tmp_path / "lb")
    await asyncio.to_thread(directory.open)
    await asyncio.to_thread(directory.write, files)
    program = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin") or "haproxy"
    haproxy = Haproxy(program, directory, lambda: None)
    await haproxy.check(CONFIG)
    sections = [line.split()[0] for line in files.config.split("\n") if line[:1].isalpha()]
    assert sections.count("backend") == len(model.backends) + 1
    assert sections.count("frontend") == 1
    assert set(sections) == {"global", "defaults", "frontend", "backend"}
    await asyncio.to_thread(directory.close)


@pytest.mark.nginx
async def test_nginx_takes_the_file(tmp_path: Path) -> None:
    routes, _ = fitting(await routes_in(tmp_path))
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin") or "nginx"
    build = await asked_build(program)
    directory = NginxDirectory(tmp_path / "lb")
    await asyncio.to_thread(directory.open)
    listen = SocketAddress(HOST, Port(free_port()))
    place = await asyncio.to_thread(place_of, build, listen, HOST, directory.path / "s.sock")
    config = (await asyncio.to_thread(NginxRenderer, place)).config(routes)
    await asyncio.to_thread(directory.write, CANDIDATE, config, sync=False)
    await Nginx(program, directory).check(CANDIDATE)
    assert "evil" not in config.text
    await asyncio.to_thread(directory.close)
