"""Paths, rewriting, access and protocols through a real HAProxy, and through a real nginx."""

from pathlib import Path

import pytest

from sidecar.catalog.model import HTTP_ACCESS, HTTP_BALANCE, HTTP_HOST, HTTP_PROTO
from tests.integration.templater.harness import Bench, backends, instance, running, until

pytestmark = pytest.mark.haproxy
by_both = pytest.mark.parametrize(
    "kind", ["haproxy", pytest.param("nginx", marks=pytest.mark.nginx)]
)


@by_both
async def test_the_longest_path_of_whole_segments_decides(tmp_path: Path, kind: str) -> None:
    async with backends(3) as (web, api, deep), running(Bench(tmp_path, kind=kind)) as bench:
        bench.put(
            instance("a", web, meta={HTTP_HOST: "shop.example.org"}),
            instance("b", api, "api", meta={HTTP_HOST: "shop.example.org/api/"}),
            instance("c", deep, "deep", meta={HTTP_HOST: "shop.example.org/api/v1"}),
        )
        await bench.applied("reload")
        for path, port in {
            "/": web, "/apiary": web, "/x/api": web, "/api": api, "/api?1": api, "/api/": api,
            "/api/v": api, "/api/v1": deep, "/api/v1/": deep, "/api/v1/x": deep, "/api/v10": api,
        }.items():  # fmt: skip
            assert await bench.get("shop.example.org", path) == (200, str(port)), path
        assert await bench.get("api.localhost", "/v1") == (200, str(api))


@by_both
async def test_a_host_with_paths_only_leads_nowhere_else(tmp_path: Path, kind: str) -> None:
    async with backends(2) as (wild, api), running(Bench(tmp_path, kind=kind)) as bench:
        bench.put(
            instance("a", wild, "wild", meta={HTTP_HOST: "*.example.org"}),
            instance("b", api, "api", meta={HTTP_HOST: "b.example.org/api,*.c.example.org/api"}),
        )
        await bench.applied("reload")
        for host, path, answer in (
            ("a.example.org", "/api", (200, str(wild))),
            ("b.example.org", "/api", (200, str(api))),
            ("b.example.org", "/", (404, "")),
            ("x.c.example.org", "/api/1", (200, str(api))),
            ("x.c.example.org", "/", (404, "")),
            ("c.example.org", "/api", (200, str(wild))),
        ):
            assert await bench.get(host, path) == answer, (host, path)


async def test_paths_come_and_go_without_a_reload(tmp_path: Path) -> None:
    async with backends(2) as (web, api), running(Bench(tmp_path)) as bench:
        bench.put(instance("a", web, meta={HTTP_HOST: "example.org"}), instance("b", api, "api"))
        await bench.applied("reload")
        reloads = await bench.reloads()
        bench.put(instance("b", api, "api", meta={HTTP_HOST: "example.org/api,*.example.net/x"}))
        await bench.applied("runtime")
        await bench.answers("a.example.net", 404)
        assert await bench.get("example.org", "/api/") == (200, str(api))
        assert await bench.get("a.example.net", "/x") == (200, str(api))
        bench.put(instance("b", api, "api"))
        await until(lambda: not bench.lb.status()["paths"])
        while await bench.get("example.org", "/api/") != (200, str(web)):
            pass
        assert await bench.reloads() == reloads


@by_both
async def test_a_part_of_the_path_is_replaced_before_the_server_sees_it(
    tmp_path: Path, kind: str
) -> None:
    async with backends(1) as (web,), running(Bench(tmp_path, kind=kind)) as bench:
        hosts = "a.example.org/api=/,b.example.org/api/=/v1/echo,c.example.org=/base"
        bench.put(instance("a", web, meta={HTTP_HOST: hosts}))
        await bench.applied("reload")
        for host, path, seen in (
            ("a.example.org", "/api/echo", "/echo"),
            ("a.example.org", "/api//echo?x=1", "/echo?x=1"),
            ("b.example.org", "/api/echo/1", "/v1/echo/echo/1"),
            ("b.example.org", "/api", "/v1/echo/"),
            ("c.example.org", "/echo", "/base/echo"),
            ("web.localhost", "/api/echo", "/api/echo"),
        ):
            status, body = await bench.get(host, path)
            assert (status, body.partition(" ")[2]) == (200, seen), (host, path)


@by_both
async def test_who_is_not_allowed_is_refused_on_each_of_its_names(
    tmp_path: Path, kind: str
) -> None:
    async with backends(3) as (web, near, open_), running(Bench(tmp_path, kind=kind)) as bench:
        bench.put(
            instance("a", web, meta={HTTP_HOST: "a.example.org", HTTP_ACCESS: "192.0.2.0/24"}),
            instance("b", near, "near", meta={HTTP_ACCESS: "internal"}),
            instance("c", open_, "open", meta={HTTP_ACCESS: "external"}),
        )
        await bench.applied("reload")
        assert (await bench.get("a.example.org"))[0] == 403
        assert (await bench.get("web.localhost"))[0] == 403
        assert await bench.get("near.localhost") == (200, str(near))
        assert await bench.get("open.localhost") == (200, str(open_))


@pytest.mark.parametrize("balance", ["leastconn", "source", "random"])
async def test_every_way_to_balance_takes_changes_at_run_time(tmp_path: Path, balance: str) -> None:
    async with backends(2) as (one, two), running(Bench(tmp_path)) as bench:
        meta = {HTTP_BALANCE: balance}
        bench.put(instance("a", one, meta=meta, weight=5))
        await bench.applied("reload")
        reloads = await bench.reloads()
        bench.put(instance("a", one, meta=meta, draining=True), instance("b", two, meta=meta))
        await bench.applied("runtime")
        assert set(await bench.served(10)) == {str(two)}
        assert await bench.reloads() == reloads


async def test_every_protocol_towards_servers_is_accepted(tmp_path: Path) -> None:
    async with backends(1) as (port,), running(Bench(tmp_path)) as bench:
        bench.put(
            *(
                instance(name, port, name, meta={HTTP_PROTO: name})
                for name in ("http", "https", "grpc", "grpcs")
            )
        )
        await bench.answers("http.localhost", 200)
        for name in ("https", "grpc", "grpcs"):  # what listens there speaks neither
            assert (await bench.get(f"{name}.localhost"))[0] in {502, 503}, name
        assert bench.lb.trouble() is None
