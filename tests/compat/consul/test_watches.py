"""Which change wakes which blocking read: the table of index semantics, row by row.

Two connections: one asks with the index it has and does not read on, the other changes something.
"""

import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.compat.consul.replay import Side
from tests.compat.consul.steps import Step, get, put

WAIT = 1.0
Change = Callable[[str], Step]


@dataclass(frozen=True)
class Row:
    """A read, the changes before it and the one during it; ``@`` stands for a word of its own."""

    read: str
    change: Step
    wakes: bool
    before: tuple[Step, ...] = ()
    same_body: bool = False


def service(name: str, **fields: Any) -> Step:
    """Register an instance with the agent."""
    return put("/v1/agent/service/register", {"Name": name, "ID": name, "Port": 80} | fields)


def delete(path: str) -> Step:
    return Step(method="DELETE", path=path)


TTL = {"TTL": "60m", "Status": "passing"}
WEB = service("web@")
CHECKED = service("web@", Check=TTL)
OTHER = service("other@")
KEY = put("/v1/kv/@/a", b"1")
HEALTH, CATALOG = "/v1/health/service/web@", "/v1/catalog/service/web@"
ABSENT = "/v1/health/service/absent@"
FAIL = put("/v1/agent/check/fail/service:web@")
PASS = put("/v1/agent/check/pass/service:web@")
NOTE = put("/v1/agent/check/pass/service:web@?note=other")
GONE = put("/v1/agent/service/deregister/web@")
EXTERNAL = put(
    "/v1/catalog/register",
    {"Node": "node@", "Address": "192.0.2.1", "Service": {"Service": "ext@", "Port": 1}},
)
OTHER_NODE = put("/v1/catalog/register", {"Node": "node2@", "Address": "192.0.2.2"})

ROWS = {
    "a new instance": Row(HEALTH, service("web@", ID="web@2"), True, (WEB,)),
    "a changed port": Row(HEALTH, service("web@", Port=81), True, (WEB,)),
    "a changed tag": Row(HEALTH, service("web@", Tags=["v2"]), True, (WEB,)),
    "a changed check": Row(HEALTH, FAIL, True, (CHECKED,)),
    "the last instance goes": Row(HEALTH, GONE, True, (WEB,)),
    "another service": Row(HEALTH, OTHER, False, (WEB,)),
    "a key": Row(HEALTH, KEY, False, (WEB,)),
    "the same registration": Row(HEALTH, WEB, False, (WEB, WEB)),
    "a tag filter without match": Row(
        f"{HEALTH}?tag=zzz", service("web@", Port=81), True, (WEB,), same_body=True
    ),
    "only the output of a check": Row(f"{HEALTH}?passing", NOTE, False, (CHECKED,)),
    "the same state again": Row(
        HEALTH, put("/v1/agent/check/pass/service:web@"), False, (CHECKED,)
    ),
    # Recorded: once any service has gone, an absent one is at the index of the last departure.
    "absent service, another registers": Row(ABSENT, OTHER, False, (WEB, GONE)),
    "absent service, another goes": Row(ABSENT, GONE, True, (WEB,), same_body=True),
    "absent service, a key": Row(ABSENT, KEY, False, (WEB, GONE)),
    "all services, a new one": Row("/v1/catalog/services", WEB, True),
    "all services, a port": Row(
        "/v1/catalog/services", service("web@", Port=81), True, (WEB,), same_body=True
    ),
    "all services, a tag": Row("/v1/catalog/services", service("web@", Tags=["t"]), True, (WEB,)),
    "all services, a check": Row("/v1/catalog/services", FAIL, False, (CHECKED,)),
    "a service's catalogue, a check": Row(CATALOG, FAIL, False, (CHECKED,)),
    "a service's catalogue, a port": Row(CATALOG, service("web@", Port=81), True, (WEB,)),
    "all nodes, a service": Row("/v1/catalog/nodes", WEB, False),
    "all nodes, a new node": Row("/v1/catalog/nodes", OTHER_NODE, True),
    "another node's service": Row("/v1/health/service/ext@", EXTERNAL, True, same_body=False),
    "checks of a service": Row("/v1/health/checks/web@", FAIL, True, (CHECKED,)),
    "checks in any state": Row("/v1/health/state/any", FAIL, True, (CHECKED,)),
    "a key, its value": Row("/v1/kv/@/a", put("/v1/kv/@/a", b"2"), True, (KEY,)),
    "a key, another key": Row("/v1/kv/@/a", put("/v1/kv/@/b", b"2"), False, (KEY,)),
    "a key, the same value": Row("/v1/kv/@/a", KEY, False, (KEY,)),
    "a key, deleted": Row("/v1/kv/@/a", delete("/v1/kv/@/a"), True, (KEY,)),
    "an absent key, any key": Row("/v1/kv/@/none", KEY, True, same_body=True),
    "an absent prefix, any key": Row("/v1/kv/@none/?recurse", KEY, True, same_body=True),
    "a prefix, a new child": Row("/v1/kv/@/?recurse", put("/v1/kv/@/b", b"2"), True, (KEY,)),
    "a prefix, a changed child": Row("/v1/kv/@/?recurse", put("/v1/kv/@/a", b"2"), True, (KEY,)),
    "a prefix, a child deleted": Row(
        "/v1/kv/@/?recurse",
        delete("/v1/kv/@/b"),
        True,
        (KEY, put("/v1/kv/@/b", b"2")),
    ),
    "a prefix, a key elsewhere": Row("/v1/kv/@/?recurse", put("/v1/kv/@else", b"2"), False, (KEY,)),
    "keys of a prefix, a new child": Row("/v1/kv/@/?keys", put("/v1/kv/@/b", b"2"), True, (KEY,)),
    "keys of a prefix, elsewhere": Row("/v1/kv/@/?keys", put("/v1/kv/@else", b"2"), False, (KEY,)),
    "a lock, its session destroyed": Row(
        "/v1/kv/@/lock",
        put("/v1/session/destroy/${session}"),
        True,
        (
            put("/v1/session/create", {"LockDelay": "0s"}, save=(("session", "body.ID"),)),
            put("/v1/kv/@/lock?acquire=${session}", b"mine"),
        ),
    ),
    "sessions, a new one": Row("/v1/session/list", put("/v1/session/create", {}), True),
    "sessions, a key": Row("/v1/session/list", KEY, False),
}


@pytest.fixture
def side(base_url: str) -> Iterator[Side]:
    """A connection for the changes."""
    with closing(Side(base_url)) as side:
        yield side


class Blocked:
    """A read that waits for a newer index on a connection of its own."""

    def __init__(self, url: str, path: str, index: int) -> None:
        """Send the request, read nothing yet."""
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        joint = "&" if "?" in path else "?"
        self.begun = time.monotonic()
        self.connection.request("GET", f"{path}{joint}index={index}&wait={WAIT:g}s")

    def answer(self) -> tuple[int, bytes, float]:
        """Return index, body and the seconds since the request."""
        response = self.connection.getresponse()
        body = response.read()
        self.connection.close()
        return int(response.headers["X-Consul-Index"]), body, time.monotonic() - self.begun


def own(step: Step, word: str) -> Step:
    """Return the step with the test's own word in its names."""
    return Step(
        method=step.method,
        path=step.path.replace("@", word),
        body=step.body.replace(b"@", word.encode()),
        save=step.save,
    )


@pytest.mark.parametrize("name", ROWS)
def test_a_change_wakes_the_reads_of_the_table_only(
    name: str, base_url: str, side: Side, unique: str
) -> None:
    row = ROWS[name]
    for step in row.before:
        side.exchange(own(step, unique))
    path = row.read.replace("@", unique)
    first = side.exchange(get(path)).answer
    index = int(first.headers["X-Consul-Index"])
    blocked = Blocked(base_url, path, index)
    time.sleep(0.05)  # so that a server which answers too early is seen to
    changed = side.exchange(own(row.change, unique)).answer
    assert changed.status == 200
    now, body, took = blocked.answer()
    if row.wakes:
        assert now > index
        assert 0.05 <= took < WAIT
        assert (sorted(body) == sorted(first.body)) is row.same_body  # the peer shuffles tags
    else:
        assert now == index
        assert took >= WAIT


def test_before_any_service_has_gone_an_absent_one_follows_every_registration(
    fresh_url: str,
) -> None:
    with closing(Side(fresh_url)) as side:
        index = int(side.exchange(get(ABSENT)).answer.headers["X-Consul-Index"])
        blocked = Blocked(fresh_url, ABSENT, index)
        side.exchange(WEB)
        now, _, took = blocked.answer()
    assert now > index
    assert took < WAIT


@pytest.mark.parametrize("path", ["/v1/catalog/services", "/v1/kv/none", "/v1/health/service/none"])
def test_an_index_of_another_life_blocks_and_returns_the_lower_one(
    path: str, base_url: str, side: Side
) -> None:
    index, _, took = Blocked(base_url, path, 10**12).answer()
    assert took >= WAIT
    assert index < 10**12


@pytest.mark.parametrize("index", [0, 1])
def test_an_old_index_is_answered_at_once(index: int, base_url: str, side: Side) -> None:
    side.exchange(WEB)
    assert Blocked(base_url, "/v1/catalog/services", index).answer()[2] < WAIT / 2


def test_an_index_never_falls_while_keys_and_instances_go(side: Side, unique: str) -> None:
    children = [put(f"/v1/kv/{unique}/{number}", b"x") for number in range(3)]
    steps = [*children, WEB, delete(f"/v1/kv/{unique}/2"), delete(f"/v1/kv/{unique}/1"), GONE, WEB]
    seen: dict[str, list[int]] = {
        f"/v1/kv/{unique}/?recurse": [],
        f"/v1/health/service/web{unique}": [],
    }
    for step in steps:
        side.exchange(own(step, unique))
        for path, indexes in seen.items():
            answer = side.exchange(get(path)).answer
            indexes.append(int(answer.headers["X-Consul-Index"]))
    for indexes in seen.values():
        assert indexes == sorted(indexes)
        assert indexes[-1] >= indexes[0] >= 1


def test_a_wait_is_lengthened_by_at_most_a_sixteenth(base_url: str, side: Side) -> None:
    index = int(side.exchange(get("/v1/session/list")).answer.headers["X-Consul-Index"])
    waits = [Blocked(base_url, "/v1/session/list", index + 10**6) for _ in range(8)]
    took = [blocked.answer()[2] for blocked in waits]
    assert min(took) >= WAIT
    assert max(took) < WAIT * 17 / 16 + 0.1
