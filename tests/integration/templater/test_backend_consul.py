"""The drop-in on a real Consul: shared watches, being away, many resources on one tree."""

import http.client
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.tools.consul import Consul
from tests.support.confd import Confd
from tests.support.pinnace import until


def put(consul: Consul, key: str, value: str) -> None:
    """Write one key."""
    request = urllib.request.Request(f"{consul.url}/v1/kv/{key}", data=value.encode(), method="PUT")
    urllib.request.urlopen(request, timeout=5).read()


@pytest.fixture
def confd(tmp_path: Path, consul: Consul) -> Iterator[Confd]:
    with Confd(tmp_path) as program:
        program.backend = ("-backend", "consul", "-node", consul.url.removeprefix("http://"))
        yield program


def test_one_pass_reads_what_the_keys_stand_for(confd: Confd, consul: Consul) -> None:
    put(consul, "app/db/host", "h")
    put(consul, "app/db/port", "5432")
    put(consul, "apple", "by text, as Consul has it")
    dest = confd.resource(
        "web", '{{range gets "/*/*"}}{{.Key}}={{.Value}};{{end}}{{ls "/db"}}',
        keys='["/db"]', prefix="/app",
    )  # fmt: skip
    done = confd.once()
    assert done.returncode == 0, done.stderr
    assert dest.read_text() == "/db/host=h;/db/port=5432;[host port]"


def test_twenty_resources_on_one_key_share_one_watch(confd: Confd, consul: Consul) -> None:
    put(consul, "app/a", "1")
    files = [confd.resource(f"r{n}", '{{getv "/a"}}', prefix="/app") for n in range(20)]
    confd.start("-watch")
    until(lambda: all(path.exists() for path in files))
    put(consul, "app/a", "2")
    until(lambda: {path.read_text() for path in files} == {"2"})
    connections = sum(
        f":{consul.ports['http']:04X} 01" in line
        for line in Path(f"/proc/{confd.pid}/net/tcp").read_text().splitlines()
    )
    assert connections < 10, "not one each; Consul has some of its own"


def test_while_consul_is_away_files_stay_and_it_is_told_once(confd: Confd) -> None:
    with Consul(dev=False) as consul:
        confd.backend = ("-backend", "consul", "-node", consul.url.removeprefix("http://"))
        for number in range(6):
            put(consul, f"app/{number}", str(number))
        dest = confd.resource("web", '{{getvs "/*"}}', prefix="/app")
        more = confd.resource("more", '{{getv "/1"}}', keys='["/1"]', prefix="/app")
        confd.start("-watch")
        until(lambda: dest.exists() and more.exists())
        consul.stop()
        until(lambda: confd.count("cannot be read") == 1, limit=15)
        time.sleep(1)
        assert confd.count("cannot be read") == 1
        assert dest.read_text() == "[0 1 2 3 4 5]"
        consul.start()
        until(lambda: confd.count("is read again") == 1, limit=15)
        put(consul, "app/1", "x")
        until(lambda: (dest.read_text(), more.read_text()) == ("[0 2 3 4 5 x]", "x"), limit=15)


def test_a_hundred_changes_a_second_end_with_the_last_and_leave_no_zombie(
    confd: Confd, consul: Consul
) -> None:
    count = confd.folder / "count"
    put(consul, "app/a", "start")
    files = [
        confd.resource(
            f"r{number}", '{{getv "/a"}}', prefix="/app", min_reload_interval="500ms",
            reload_cmd=f"echo {number} >> {count}; sleep 0.02",
        )
        for number in range(3)
    ]  # fmt: skip
    confd.start("-watch")
    until(lambda: all(path.exists() for path in files))
    connection = http.client.HTTPConnection("127.0.0.1", consul.ports["http"])
    begun, zombies = time.monotonic(), 0
    for number in range(300):
        connection.request("PUT", "/v1/kv/app/a", str(number).encode())
        connection.getresponse().read()
        zombies = max(zombies, _zombies_of(confd.pid))
        time.sleep(max(0.0, begun + number / 100 - time.monotonic()))
    connection.close()
    until(lambda: {path.read_text() for path in files} == {"299"})
    until(lambda: not any(path.name.endswith("owed") for path in confd.out.iterdir()))
    took = time.monotonic() - begun
    assert zombies <= 3, "each is reaped at once"
    assert _zombies_of(confd.pid) == 0
    assert len(count.read_text().split()) <= 3 * (took / 0.5 + 2)


def _zombies_of(pid: int) -> int:
    found = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            try:
                found += ") Z " in Path(f"/proc/{child}/stat").read_text()
            except OSError:
                continue
    return found
