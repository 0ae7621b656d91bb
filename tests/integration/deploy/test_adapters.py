"""Pods of an application and its adapter, run as deploy/adapters/compose.yaml says.

No program for compose files is needed: they are read by the tests (``tests.support.compose``). Who
scrapes stands on the host, as Prometheus does in the file: Debian's, with the file's configuration.
"""

import http.client
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from deploy.tools.engine import PrivateEngine
from deploy.tools.jvm import compiled
from tests.support.compose import DEPLOY, Compose
from tests.support.pinnace import until
from tests.support.ports import free_port
from tests.support.prometheus import Prometheus
from tests.support.vmagent import targets, vmagent

pytestmark = [
    pytest.mark.engine,
    pytest.mark.jvm,
    pytest.mark.prometheus,
    pytest.mark.timeout(900),
]

PODS = {"shop": 9102, "orders": 9404, "queue": 9103}
NAME = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{|label_values\((\w+)")


class Pods:
    """Everything of the file that is ours, in containers; and each adapter's exposition."""

    def __init__(self, engine: PrivateEngine, image: str, folder: Path) -> None:
        self.engine = engine
        self.http, self.folder = f"127.0.0.1:{free_port()}", folder
        self.prometheus = free_port()
        variables = {
            "PINNACE_IMAGE": image,
            "SHOP_IMAGE": "web",
            "QUEUE_IMAGE": "web",
            "ORDERS_IMAGE": "web",
            "PINNACE_HTTP__LISTEN": self.http,
            "PINNACE_DNS__LISTEN": f"127.0.0.1:{free_port()}",
            "PROMETHEUS_LISTEN": f"127.0.0.1:{self.prometheus}",
            "DOCKER_SOCKET": str(engine.socket),
            "DOCKER_GID": str(engine.socket.stat().st_gid),
        }
        self.compose = Compose(DEPLOY / "adapters" / "compose.yaml", variables)
        self.containers: dict[str, str] = {}

    def start(self) -> None:
        self._run("pinnace")
        plain = ["--entrypoint", ""]  # the tiny image has a server of its own
        for pod in PODS:
            if pod == "orders":
                self._run(pod, [*plain, *self._java_mounts()], self._java())
            else:
                self._run(pod, plain)
            self._run(f"{pod}-adapter")

    def _run(self, service: str, more: Sequence[str] = (), words: Sequence[str] = ()) -> None:
        options = self.compose.options(service, self.containers, self.folder)
        command = [*self.compose.command(service), *words]
        self.containers[service] = self.engine.docker("run", "-d", *options, *more, *command)

    def _java_mounts(self) -> list[str]:
        """Lend the tiny image this machine's Java: there is no image of a JVM here."""
        places = ["/usr", "/lib", "/lib64", *map(str, Path("/etc").glob("java-*"))]
        found = [place for place in places if Path(place).exists()]
        return [
            word
            for place in [*found, str(compiled(self.folder))]
            for word in ("--volume", f"{Path(place).resolve()}:{place}:ro")
        ]

    def _java(self) -> list[str]:
        java = shutil.which("java")
        assert java is not None
        port = "9011"  # of the second server of this application
        main = ["-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", str(self.folder)]
        return [str(Path(java).resolve()), *main, "Beans", "3", port]

    def healthy(self, service: str) -> bool:
        """Say what the adapter's health check in the file says."""
        container, words = self.containers[service], self.compose.healthcheck(service)
        code = self.engine.docker("exec", container, "sh", "-c", '"$@"; echo $?', "-", *words)
        return code.splitlines()[-1] == "0"

    def scrape(self, pod: str) -> str:
        """Return what the adapter of a pod tells, by the port that the pod publishes."""
        place = self.engine.docker("port", self.containers[pod], f"{PODS[pod]}/tcp")
        connection = http.client.HTTPConnection(place.splitlines()[0], timeout=30)
        try:
            connection.request("GET", "/metrics")
            response = connection.getresponse()
            return response.read().decode() if response.status == 200 else ""
        except OSError:
            return ""
        finally:
            connection.close()

    def logs(self) -> str:
        return "\n".join(
            f"{name}: {self.engine.docker('logs', container, check=False)}"
            for name, container in self.containers.items()
        )

    def stop(self) -> None:
        self.engine.docker("rm", "-f", "-v", *self.containers.values(), check=False)


@pytest.fixture(scope="module")
def pods(engine: PrivateEngine, image: str) -> Iterator[Pods]:
    """The pods of the file."""
    with ExitStack() as stack:
        # Below the engine's folder: other folders may be closed to the users of containers.
        folder = engine.root / "pods"
        folder.mkdir(mode=0o755)
        started = Pods(engine, image, folder)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.callback(started.stop)
        stack.callback(lambda: print(started.logs()))
        started.start()
        yield started


def test_each_adapter_hears_its_application_within_the_namespace(pods: Pods) -> None:
    expected = {
        "shop": r'^shop_orders_total\{country="is"\} [1-9]',
        "orders": r"^orders_availableprocessors [1-9]",
        "queue": r'^queue_depth\{queue="mail"\} 3',
    }
    for pod, series in expected.items():
        until(lambda: re.search(series, pods.scrape(pod), re.MULTILINE) is not None, 60)  # noqa: B023
        assert pods.healthy(f"{pod}-adapter")
    assert 'jvm_threads_state{state="RUNNABLE"}' in pods.scrape("orders")


def test_prometheus_finds_all_adapters_with_the_files_own_configuration(pods: Pods) -> None:
    config = yaml.safe_load(pods.compose.content("prometheus"))
    (job,) = config["scrape_configs"]
    del job["job_name"]
    with Prometheus(job, pods.prometheus) as prometheus:
        for query in (
            'shop_orders_total{service="shop-metrics"}',
            'orders_availableprocessors{service="orders-metrics"}',
            'queue_depth{service="queue-metrics"}',
        ):
            assert float(prometheus.until(query)["value"][1]) > 0
        assert prometheus.until("count(up == 1)")["value"][1] == "3"


def test_who_asks_consul_finds_the_same_adapters(pods: Pods, tmp_path: Path) -> None:
    job = {"consul_sd_configs": [{"server": pods.http, "tags": ["metrics"]}]}
    with vmagent(tmp_path, job) as port:
        until(lambda: len(targets(port)) == len(PODS), 60)
        found = targets(port)
    assert {labels["__meta_consul_service"] for labels in found.values()} == {
        f"{pod}-metrics" for pod in PODS
    }


@pytest.mark.parametrize(
    ("board", "pod"), [("statsd", "shop"), ("jmx", "orders"), ("http", "queue")]
)
def test_all_that_a_dashboard_shows_is_in_a_real_scrape(pods: Pods, board: str, pod: str) -> None:
    text = (DEPLOY / "grafana" / f"{board}.json").read_text()
    found = json.loads(text)
    expressions = [target["expr"] for panel in found["panels"] for target in panel["targets"]]
    expressions += [
        entry["query"]["query"]
        for entry in found["templating"]["list"]
        if entry["name"] == "instance"
    ]
    names = {one or other for one, other in NAME.findall("\n".join(expressions))}
    assert len(names) > 3
    until(lambda: "# TYPE" in pods.scrape(pod), 60)
    scraped = pods.scrape(pod)
    known = set(re.findall(r"^# TYPE (\S+) ", scraped, re.MULTILINE))
    known |= set(re.findall(r"^(\w+)[{ ]", scraped, re.MULTILINE))
    assert names - known == set()
