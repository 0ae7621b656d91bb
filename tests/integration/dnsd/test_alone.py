"""``dnsd`` alone on a real store, and ``pinnace dig``."""

import json
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from deploy.tools.consul import Consul
from dnsd.outward import outward
from sidecar.config.units import Endpoint
from tests.support.dnsd import Dnsd
from tests.support.oracle import consul_program
from tests.support.pinnace import until
from tests.support.ports import free_port


@pytest.fixture(scope="module")
def store() -> Iterator[Consul]:
    with Consul(program=consul_program()) as running:
        for number in (1, 2, 3):
            register(running, f"web-{number}", "web", f"10.0.0.{number}", ["blue"][: number % 2])
        status(running, "web-2", "critical")
        yield running


def call(consul: Consul, path: str, body: Any = None) -> None:
    data = b"" if body is None else json.dumps(body).encode()
    urlopen(Request(consul.url + path, data=data, method="PUT"), timeout=10).close()


def register(consul: Consul, id_: str, name: str, address: str, tags: list[str]) -> None:
    body = {"ID": id_, "Name": name, "Address": address, "Port": 80, "Tags": tags}
    call(consul, "/v1/agent/service/register", body | {"Check": {"TTL": "1h", "Status": "passing"}})


def status(consul: Consul, id_: str, word: str) -> None:
    call(consul, f"/v1/agent/check/update/service:{id_}", {"Status": word})


def url(consul: Consul) -> str:
    return consul.url.replace("http://", "consul://")


def test_it_answers_from_the_store_and_follows_it(store: Consul) -> None:
    with Dnsd(url(store)) as dnsd:
        until(lambda: dnsd.dig("+short", "web.service.consul").split() != [])
        found = dnsd.dig("+short", "web.service.consul").split()
        assert sorted(found) == ["10.0.0.1", "10.0.0.3"]
        register(store, "late-1", "late", "10.0.0.9", [])
        until(lambda: dnsd.dig("+short", "late.service.consul") == "10.0.0.9\n")
        assert dnsd.get("/metrics")[1].count(b"dnsd_dns_requests_total{") >= 1
        assert dnsd.json("/ready")["ready"] is True
        assert dnsd.get("/elsewhere")[0] == 404
        assert dnsd.stop() == 0


def test_dig_shows_the_answer_and_why(store: Consul) -> None:
    with Dnsd(url(store)) as dnsd:
        until(lambda: "10.0.0.1" in dnsd.dig("web.service.consul"))
        code, out, err = dnsd.pinnace_dig("web.service.consul")
        assert (code, err) == (0, "")
        lines = [" ".join(line.split()) for line in out.splitlines()]
        assert lines[0].startswith(";; web.service.consul. A: NOERROR, service web (index ")
        assert "web.service.consul. 0 A 10.0.0.1" in lines
        assert lines[lines.index(";; left out") + 1 :] == [
            "web/web-2 10.0.0.2:80 on oracle critical <- critical"
        ]
        named = lines[lines.index(";; named by the answer") + 1 : lines.index(";; left out")]
        assert [line.split()[0] for line in named] == ["web/web-1", "web/web-3"]
        found = json.loads(dnsd.pinnace_dig("blue.web.service.consul", "SRV", "--json")[1])
        assert [one["id"] for one in found["named"]] == ["web-1", "web-3"]
        assert found["left_out"][0]["reason"] == "critical"
        assert {r["type"] for r in found["answer"]} == {"SRV"}
        assert found["status"] == "NOERROR"
        gone = dnsd.pinnace_dig("green.web.service.consul", "a")[1]
        assert "NXDOMAIN" in gone
        assert "has no tag green" in gone
        assert "no zone that is served here" in dnsd.pinnace_dig("example.org", "MX")[1]
        assert dnsd.pinnace_dig("web.service.consul", "NONSENSE") == (
            1,
            "",
            "pinnace dig: 'NONSENSE' is no type of DNS records\n",
        )
        assert dnsd.pinnace_dig("a" * 70)[0] == 1


def test_settings_are_read_again_and_wrong_ones_are_not_taken(store: Consul) -> None:
    with Dnsd(url(store), config="[dns]\nttl = 1\n") as dnsd:
        until(lambda: "10.0.0.1" in dnsd.dig("web.service.consul"))
        dnsd.reload("[dns]\nttl = 9\ndomain = 'other'\n")
        until(lambda: "\t9\tIN\tA" in dnsd.dig("web.service.other"))
        assert "REFUSED" in dnsd.dig("web.service.consul")
        dnsd.reload("[dns]\nttl = 'soon'\n")
        until(lambda: "settings not taken" in dnsd.log())
        assert "\t9\tIN\tA" in dnsd.dig("web.service.other")
        dnsd.reload("[dns]\nttl = 9\ndomain = 'other'\nworkers = 2\n")
        until(lambda: "wait for a restart" in dnsd.log())


def test_each_of_several_addresses_is_served_whatever_names_them(store: Consul) -> None:
    first, second = free_port(), free_port()
    both = f"127.0.0.1:{first},127.0.0.2:{second}"
    with Dnsd(url(store), "--dns", both) as dnsd:
        for words in ((), ("+tcp",)):
            assert "10.0.0.1" in dnsd.dig("+short", *words, "web.service.consul", port=first)
            other = ("@127.0.0.2", "+short", *words, "web.service.consul")
            assert "10.0.0.1" in dnsd.dig(*other, port=second)


def test_a_server_on_every_address_has_a_name_that_resolves(store: Consul) -> None:
    port = free_port()
    with Dnsd(url(store), "--dns", f"0.0.0.0:{port}") as dnsd:
        (server,) = dnsd.dig("+short", "consul", "NS", port=port).split()
        found = dnsd.dig("+short", server, port=port).split()
        ours = outward((Endpoint("0.0.0.0", port),))  # none without a network
        assert found == [str(ip_address(packed)) for packed in ours]


def test_a_lost_store_makes_answers_stale_then_withheld_and_never_absent() -> None:
    config = "[dns]\nttl = 60\nmax_stale = '3s'\n"
    with Consul(program=consul_program()) as consul:
        register(consul, "web-1", "web", "10.0.0.1", [])
        with Dnsd(url(consul), config=config) as dnsd:
            until(lambda: "\t60\tIN\tA" in dnsd.dig("web.service.consul"))
            consul.stop()
            until(lambda: "EDE: 3 (Stale Answer)" in dnsd.dig("web.service.consul"), 30)
            assert "\t5\tIN\tA" in dnsd.dig("web.service.consul")
            until(lambda: "SERVFAIL" in dnsd.dig("web.service.consul"), 30)
            assert "SERVFAIL" in dnsd.dig("absent.service.consul")
            assert dnsd.get("/ready")[0] == 200  # it serves all the same


def test_before_the_store_is_read_nothing_is_absent() -> None:
    store = f"consul://127.0.0.1:{free_port()}"
    with Dnsd(store, wait=False) as dnsd:
        out = dnsd.dig("web.service.consul")
        assert "SERVFAIL" in out
        assert "EDE: 14 (Not Ready)" in out
        assert dnsd.get("/ready")[0] == 503
        assert "has not been read yet" in dnsd.pinnace_dig("web.service.consul")[1]


@pytest.mark.parametrize(
    ("words", "status_", "text"),
    [
        ([], 78, "--store: dnsd alone has no catalogue of its own; name a store"),
        (["--store", "consul://127.0.0.1:1", "--workers", "0"], 78, "--workers: must be from 1"),
        (["--store", "consul://127.0.0.1:1", "--recursor", "dns"], 78, "--recursor: 'dns'"),
        (["--store", "consul://127.0.0.1:1", "--http", "x"], 78, "--http: 'x' has no port"),
        (["--stroe", "x"], 2, "unrecognized arguments: --stroe x"),
        (["--help"], 0, "--workers N"),
    ],
    ids=str,
)
def test_mistakes_are_told(words: list[str], status_: int, text: str) -> None:
    for command in (["dnsd"], ["pinnace", "dnsd"]):
        program = str(Path(sys.executable).with_name(command[0]))
        done = subprocess.run(
            [program, *command[1:], *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == status_
        assert text in done.stderr + done.stdout


def test_it_loads_only_what_its_store_needs() -> None:
    script = (
        "import sys, dnsd.alone, dnsd.cli\n"
        "from sidecar.catalog.live import Catalog\n"
        "from sidecar.runtime.clock import SystemClock\n"
        "from sidecar.stores.opening import open_mirror\n"
        "open_mirror(sys.argv[1], Catalog(), clock=SystemClock())\n"
        "heavy = {'aiohttp', 'aiodocker', 'jinja2', 'dnslib', 'prometheus_client'}\n"
        "heavy |= {'sidecar.engine', 'sidecar.web.server', 'registrar', 'templater'}\n"
        "print(*sorted(heavy & sys.modules.keys()))\n"
    )

    def loaded(store: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", script, store], capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    assert loaded("zookeeper://127.0.0.1:1/base") == []
    assert loaded("consul://127.0.0.1:1") == []
