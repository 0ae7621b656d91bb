"""``pinnace up --store URL`` on two hosts with an engine each: both see what either runs."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any, Final

import pytest

from deploy.tools.consul import Consul
from deploy.tools.engine import PrivateEngine
from deploy.tools.etcd import Etcd
from deploy.tools.etcd import why_not as without_etcd
from deploy.tools.zookeeper import ZooKeeper
from deploy.tools.zookeeper import why_not as without_zookeeper
from tests.support.containers import Containers
from tests.support.oracle import consul_program, insist
from tests.support.pace import allowed
from tests.support.pinnace import Pinnace, until
from tests.support.ports import free_port

pytestmark = [pytest.mark.engine, pytest.mark.haproxy]

TTL: Final = {"PINNACE_REGISTRAR__TTL": "3s", "PINNACE_REGISTRAR__TTL_REFRESH": "1s"}
PLACE: Final = {"consul": "", "skydns2": "/cluster.local"}
EXPIRING: Final = ("etcd", "etcd2", "skydns2", "zookeeper")
KINDS: Final = ("consul", "consulkv", *EXPIRING)
QUICK: Final = {"probe_interval": "100ms", "probe_timeout": "50ms", "suspicion_mult": 1}
"""How agents look for failed ones; by default it takes them some seconds."""


class Host:
    """An engine and a ``pinnace up`` beside it, with an address and a name of its own."""

    def __init__(self, engine: PrivateEngine, number: int, store: str) -> None:
        self.address = f"127.0.0.{number}"
        self.name = f"host-{number}"
        self.engine = engine
        self.containers = Containers(engine)
        self.up = Pinnace(
            engine.url, "--store", store, "--ip", self.address,
            wait=False, env={"PINNACE_REGISTRAR__NODE": self.name, **TTL},
        )  # fmt: skip

    def run(self, short: str, service: str) -> tuple[str, int]:
        """Start a container; return the address and the port of its instance."""
        port = free_port()  # two engines know nothing of each other's
        words = ("-e", f"SERVICE_NAME={service}", "-p", f"{port}:80")
        self.containers.run(f"{self.name}-{short}", *words, publish=False)
        return self.address, port

    def body(self, short: str) -> str:
        """Return what that container answers."""
        return self.containers.name(f"{self.name}-{short}")

    def drain(self, short: str) -> list[dict[str, Any]]:
        """Drain and stop that container; return the steps."""
        words = ("--http", f"127.0.0.1:{self.up.http_port}", self.body(short), "--json")
        done = subprocess.run(
            [self.up.command[0], "drain", *words], capture_output=True, text=True, check=True
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    def held(self, service: str) -> set[tuple[str, int]]:
        """Return address and port of what takes work, by the API."""
        found = self.up.json(f"/v1/health/service/{service}?passing=true")
        return {(each["Service"]["Address"], each["Service"]["Port"]) for each in found}


@dataclass(frozen=True)
class Hosts:
    """Two hosts on one store."""

    kind: str
    store: Any
    first: Host
    second: Host

    @property
    def both(self) -> tuple[Host, Host]:
        return self.first, self.second

    def until_seen(self, service: str, *wanted: tuple[str, int], within: float = 5.0) -> None:
        """Wait until API and DNS of both hosts know exactly these."""
        ports = {port for _, port in wanted}
        for host in self.both:
            until(lambda: host.held(service) == set(wanted), within)  # noqa: B023 - called at once
            until(lambda: host.up.srv_ports(service) == ports, within)  # noqa: B023

    def until_balanced(self, service: str, *bodies: str, within: float = 5.0) -> None:
        """Wait until the load balancers of both hosts send work to all of these."""
        for host in self.both:
            until(
                lambda: host.up.bodies(f"{service}.localhost", 4) == {*bodies},  # noqa: B023
                within,
            )


def _server(kind: str) -> AbstractContextManager[Any]:
    if kind.startswith("consul"):
        return Consul(program=consul_program())
    if kind == "zookeeper":
        insist(without_zookeeper())
        return ZooKeeper(longest=2.0)
    insist(without_etcd())
    return Etcd(v2=kind != "etcd")


@pytest.fixture(scope="module")
def other() -> Iterator[PrivateEngine]:
    """The second host's engine."""
    with PrivateEngine() as private:
        private.build_images("web")
        yield private


@pytest.fixture(scope="module", params=KINDS)
def entered(
    request: pytest.FixtureRequest, engine: PrivateEngine, other: PrivateEngine
) -> Iterator[Hosts]:
    kind: str = request.param
    with ExitStack() as stack:
        store = stack.enter_context(_server(kind))
        port = store.ports["http"] if isinstance(store, Consul) else store.port
        url = f"{kind}://127.0.0.1:{port}{PLACE.get(kind, '/services')}"
        hosts = Hosts(kind, store, Host(engine, 1, url), Host(other, 2, url))
        for host in hosts.both:
            stack.callback(host.containers.clean)
            stack.enter_context(host.up)
        yield hosts
        for host in hosts.both:
            host.containers.clean()


@pytest.fixture
def hosts(entered: Hosts) -> Hosts:
    """Both run and nothing else does."""
    for host in entered.both:
        if host.up.is_ended:
            host.up.start()
    _side_by_side(*(host.containers.clean for host in entered.both))
    _side_by_side(*(host.up.until_ready for host in entered.both))
    return entered


def _side_by_side(*calls: Callable[[], object]) -> None:
    with ThreadPoolExecutor() as threads:
        for done in [threads.submit(call) for call in calls]:
            done.result()


def test_each_host_sees_what_both_run_and_forgets_what_ended(hosts: Hosts) -> None:
    first, second = hosts.both
    one, two, api = first.run("a", "web"), second.run("b", "web"), first.run("c", "api")
    hosts.until_seen("web", one, two)
    hosts.until_seen("api", api)
    hosts.until_balanced("web", first.body("a"), second.body("b"))
    hosts.until_balanced("api", first.body("c"))
    first.containers.clean()
    hosts.until_seen("web", two)
    hosts.until_seen("api")
    hosts.until_balanced("web", second.body("b"))


def test_a_host_that_was_killed_and_started_again_makes_good_what_it_missed(
    hosts: Hosts,
) -> None:
    first, second = hosts.both
    stays, goes, there = first.run("a", "web"), first.run("b", "web"), second.run("c", "web")
    hosts.until_seen("web", stays, goes, there)
    first.up.kill()
    first.containers.remove(first.body("b"))
    late = first.run("d", "web")
    first.up.start()
    first.up.until_ready()
    hosts.until_seen("web", stays, late, there, within=5)
    # Before that it knew at once what the other host runs, and never lost it.
    assert second.up.log("store is read again") == []


@pytest.mark.parametrize("entered", ["consul", "consulkv", "etcd", "zookeeper"], indirect=True)
def test_a_drain_lasts_as_long_as_what_is_in_flight_and_no_longer(hosts: Hosts) -> None:
    """Whatever the store calls the host and the entry, and whether it keeps it meanwhile."""
    first, second = hosts.both
    first.run("a", "web")
    there = second.run("b", "web")
    hosts.until_balanced("web", first.body("a"), second.body("b"))
    with ThreadPoolExecutor() as threads:
        slow = [
            threads.submit(first.up.fetch, "web.localhost", "/cgi-bin/slow?4000") for _ in range(2)
        ]
        time.sleep(0.3)
        steps = first.drain("a")
        assert {each.result() for each in slow} == {
            (200, first.body("a")),
            (200, second.body("b")),
        }
    assert [step["phase"] for step in steps][-2:] == ["done", "stopped"]
    assert max(step["in_flight"] for step in steps if step["phase"] == "waiting") == 1
    assert steps[-2]["seconds"] < allowed(6.0), "not until the default is over"
    hosts.until_seen("web", there)


@pytest.mark.parametrize("entered", EXPIRING, indirect=True)
def test_a_lost_host_is_gone_in_time(hosts: Hosts) -> None:
    first, second = hosts.both
    first.run("a", "web")
    there = second.run("b", "web")
    until(lambda: len(second.held("web")) == 2, 5)
    first.up.kill()
    first.containers.clean()
    assert until(lambda: second.held("web") == {there}, 7) > 0.5
    until(lambda: second.up.bodies("web.localhost", 3) == {second.body("b")}, 5)


def test_a_host_lost_with_its_agent_takes_no_work_any_more(
    engine: PrivateEngine, other: PrivateEngine
) -> None:
    with ExitStack() as stack:
        program = consul_program()
        server = stack.enter_context(Consul(program=program, config={"gossip_lan": QUICK}))
        joined = {
            "server": False,
            "bootstrap_expect": 0,
            "retry_join": [f"127.0.0.1:{server.ports['serf_lan']}"],
            "gossip_lan": QUICK,
        }
        agent = stack.enter_context(Consul(dev=False, node="agent", config=joined, program=program))
        urls = [f"consul://127.0.0.1:{each.ports['http']}" for each in (server, agent)]
        kept, lost = Host(engine, 1, urls[0]), Host(other, 2, urls[1])
        for host in (kept, lost):
            stack.callback(host.containers.clean)
            stack.enter_context(host.up)
        _side_by_side(kept.up.until_ready, lost.up.until_ready)
        here, there = kept.run("a", "shop"), lost.run("b", "shop")
        Hosts("consul", server, kept, lost).until_seen("shop", here, there)
        nodes = {each["Node"]["Node"] for each in kept.up.instances("shop").values()}
        assert nodes == {"oracle", "agent"}
        lost.up.kill()
        agent.kill()
        until(lambda: kept.held("shop") == {here}, 10)
        until(lambda: kept.up.srv_ports("shop") == {here[1]}, 2)
        until(lambda: kept.up.bodies("shop.localhost", 3) == {kept.body("a")}, 5)
        assert len(kept.up.instances("shop")) == 2, "critical, not gone: the agent may come back"
