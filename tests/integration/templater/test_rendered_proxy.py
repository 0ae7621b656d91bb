"""The drop-in for confd beside real proxies: checks that refuse, churn, reloads under load."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.tools.consul import Consul
from tests.integration.templater.harness import HERE
from tests.support.confd import Confd
from tests.support.consul_template import Writer
from tests.support.load import Load
from tests.support.pinnace import until
from tests.support.ports import free_port
from tests.support.web import get

PATH = "/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/bin"
CONFIG = """
global
  maxconn 256
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  retries 3
  option redispatch 1
  option idle-close-on-response
frontend web
  bind 127.0.0.1:%d
  default_backend web
backend web
{{range gets "/web/*"}}  server {{base .Key}} {{.Value}}
{{end}}"""


@pytest.fixture
def confd(tmp_path: Path) -> Iterator[Confd]:
    with Confd(tmp_path) as program:
        yield program


@pytest.fixture
def servers() -> Iterator[list[int]]:
    """Ports of three HTTP servers."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "backend.py"), "3"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        yield [int(word) for word in process.stdout.readline().split()]
        process.terminate()


class Proxy:
    """A HAProxy in master-worker mode on a file that confd keeps."""

    def __init__(self, confd: Confd) -> None:
        self.port = free_port()
        self.pid = confd.folder / "haproxy.pid"
        self.count = confd.folder / "reloads"
        self.program = shutil.which("haproxy", path=PATH) or "haproxy"
        self.file = confd.resource(
            "haproxy.cfg", CONFIG % self.port, check_cmd=f"{self.program} -c -f {{{{.src}}}}",
            reload_cmd=f"echo >> {self.count}; kill -USR2 $(cat {self.pid})",
            min_reload_interval="50ms",
        )  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it on the file that is there."""
        self.process = subprocess.Popen(
            [self.program, "-W", "-f", str(self.file), "-p", str(self.pid)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        until(lambda: get(self.port, "/")[0] == 200)

    def reloads(self) -> int:
        """Return how many reload commands ran."""
        return len(self.count.read_text()) if self.count.exists() else 0

    def stop(self) -> None:
        """End it and its workers."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(20)


@pytest.fixture
def proxy(confd: Confd) -> Iterator[Proxy]:
    made = Proxy(confd)
    yield made
    made.stop()


def _line(server: int, number: int) -> str:
    return f"127.0.0.1:{server} weight {number % 200 + 1}"


@pytest.mark.haproxy
@pytest.mark.timeout(300)
def test_a_hundred_reloads_lose_no_request_of_keep_alive_clients(
    confd: Confd, proxy: Proxy, servers: list[int], consul: Consul
) -> None:
    writer = Writer(consul)
    confd.backend = ("-backend", "consul", "-node", consul.url.removeprefix("http://"))
    for number, server in enumerate(servers):
        writer.put(f"web/s{number}", _line(server, 0))
    assert confd.once("-sync-only").returncode == 0
    proxy.start()
    confd.start("-watch")
    with Load(proxy.port, "web", clients=6, pause=0.002) as load:
        for number in range(1, 101):
            writer.put(f"web/s{number % 3}", _line(servers[number % 3], number))
            until(lambda wanted=number: proxy.reloads() >= wanted, limit=30)  # type: ignore[misc]
    assert load.failures == []
    assert load.total > 500
    assert proxy.reloads() >= 100
    assert _line(servers[1], 100) in proxy.file.read_text()


@pytest.mark.haproxy
def test_a_hundred_changes_a_second_are_few_reloads_and_lose_no_request(
    confd: Confd, proxy: Proxy, servers: list[int], consul: Consul
) -> None:
    resource = confd.folder / "conf.d" / "haproxy.cfg.toml"
    resource.write_text(resource.read_text().replace('"50ms"', '"500ms"'))
    writer = Writer(consul)
    confd.backend = ("-backend", "consul", "-node", consul.url.removeprefix("http://"))
    for number, server in enumerate(servers):
        writer.put(f"web/s{number}", _line(server, 0))
    assert confd.once("-sync-only").returncode == 0
    proxy.start()
    confd.start("-watch")
    until(lambda: confd.count("Starting confd") == 1)
    begun = time.monotonic()
    with Load(proxy.port, "web", clients=6, pause=0.002) as load:
        for number in range(300):
            writer.put(f"web/s{number % 3}", _line(servers[number % 3], number))
            time.sleep(max(0.0, begun + number / 100 - time.monotonic()))
        last = [_line(servers[number % 3], number) for number in (297, 298, 299)]
        until(lambda: all(line in proxy.file.read_text() for line in last))
        until(lambda: not any("owed" in path.name for path in confd.out.iterdir()))
    took = time.monotonic() - begun
    assert load.failures == []
    assert load.total > 100
    assert 1 < proxy.reloads() <= took / 0.5 + 2


@pytest.mark.haproxy
def test_what_haproxy_refuses_leaves_the_old_file_and_is_told_with_its_line(
    confd: Confd, proxy: Proxy, servers: list[int]
) -> None:
    port = free_port()
    confd.put({"web": {"s0": _line(servers[0], 1)}})
    assert confd.once("-sync-only").returncode == 0
    good = proxy.file.read_text()
    proxy.start()
    confd.start("-watch", "-metrics-addr", f"127.0.0.1:{port}")
    until(lambda: get(port, "/readyz")[0] == 200)
    confd.put({"web": {"s0": "nowhere weigth 1"}})
    until(lambda: b"Config check failed: exit status 1" in get(port, "/readyz")[1])
    assert proxy.file.read_text() == good
    assert get(proxy.port, "/")[0] == 200
    assert "haproxy.cfgpn" in confd.log(), "HAProxy's own words name file and line"
    assert "weigth" in confd.log()
    refused = re.compile(rb'pinnace_templater_renders_total\{result="refused"\} [1-9]')
    assert refused.search(get(port, "/metrics")[1])
    confd.put({"web": {"s0": _line(servers[1], 2)}})
    until(lambda: _line(servers[1], 2) in proxy.file.read_text(), limit=60)
    until(lambda: get(port, "/readyz")[0] == 200)
    until(lambda: proxy.reloads() >= 1)


@pytest.mark.nginx
def test_what_nginx_refuses_leaves_the_old_file(confd: Confd) -> None:
    nginx = shutil.which("nginx", path=PATH) or "nginx"
    text = (
        "events {} pid %s/pid; error_log stderr; http { server {\n"  # noqa: UP031
        '  listen {{getv "/listen"}};\n}}\n' % confd.folder
    )
    dest = confd.resource("nginx.conf", text, check_cmd=f"{nginx} -t -q -c {{{{.src}}}}")
    confd.put({"listen": f"127.0.0.1:{free_port()}"})
    done = confd.once()
    assert done.returncode == 0, done.stderr
    good = dest.read_text()
    confd.put({"listen": "127.0.0.1:80 oops"})
    done = confd.once()
    assert done.returncode == 1
    assert 'invalid parameter \\"oops\\"' in done.stderr
    assert ":2" in done.stderr
    assert dest.read_text() == good
