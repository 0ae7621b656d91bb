"""What templates see, what is suspect, and what they are said to have read."""

from dataclasses import replace
from typing import Any

import pytest

from sidecar.catalog.changes import Drop, Put, PutNode, apply
from sidecar.catalog.kv import Entry
from sidecar.catalog.model import EMPTY, Node, Snapshot, Status
from sidecar.errors import ConfigError, RenderError
from templater.own.mock import mock_of
from templater.own.values import Suspect
from templater.own.world import Reads, View, World
from tests.support.catalog import instance, snapshot


def view(world: World, *entries: Entry) -> tuple[View, Reads]:
    reads = Reads()
    return View(
        world, lambda prefix: [e for e in entries if e.key.startswith(prefix)], reads
    ), reads


def only(**fields: Any) -> Any:
    (server,) = World.of(snapshot(instance(**fields))).services["web"].instances
    return server


def test_instances_have_plain_fields() -> None:
    server = only(
        tags=("a",), meta={"k": "v"}, weight=3, status=Status.WARNING, address="2001:DB8::1"
    )
    assert (server.address, server.port, server.socket) == (
        "2001:db8::1", 8080, "[2001:db8::1]:8080",
    )  # fmt: skip
    assert (server.tags, dict(server.meta), server.weight) == (("a",), {"k": "v"}, 3)
    assert (server.status, server.ready, server.draining) == ("warning", True, False)


@pytest.mark.parametrize(
    ("fields", "ready"),
    [({}, True), ({"draining": True}, False), ({"status": Status.CRITICAL}, False)],
)
def test_only_what_takes_new_work_is_ready(fields: dict[str, Any], ready: bool) -> None:
    service = World.of(snapshot(instance(**fields))).services["web"]
    assert (len(service.instances), len(service.ready)) == (1, int(ready))


@pytest.mark.parametrize(
    ("fields", "name", "words"),
    [
        ({"address": "192.0.2.1 check"}, "address", "address '192.0.2.1 check'"),
        ({"address": "192.0.2.1 check"}, "socket", "address '192.0.2.1 check'"),
        ({"address": ""}, "address", "address ''"),
        ({"node": "a b"}, "node", "node 'a b'"),
        ({"id_": "a\nb"}, "id", "id holds the character U\\+000A"),
    ],
)
def test_what_is_not_of_its_alphabet_is_suspect(
    fields: dict[str, Any], name: str, words: str
) -> None:
    value = getattr(only(**fields), name)
    assert isinstance(value, Suspect)
    with pytest.raises(RenderError, match=f"service 'web': {words}"):
        str(value)


def test_tags_and_meta_are_suspect_one_by_one() -> None:
    server = only(tags=("ok", "a\tb"), meta={"ok": "x", "bad": "\u2028"})
    assert server.tags[0] == "ok"
    assert isinstance(server.tags[1], Suspect)
    assert server.meta["ok"] == "x"
    assert isinstance(server.meta["bad"], Suspect)


def test_an_address_may_be_a_name_or_come_from_the_node() -> None:
    assert only(address="db.example.org").address == "db.example.org"
    node = Node(name="node-1", address="192.0.2.77")
    world = World.of(apply(EMPTY, [PutNode(node), Put(instance(address=""))]))
    assert world.services["web"].instances[0].socket == "192.0.2.77:8080"
    moved = World.of(apply(world.snapshot, [PutNode(replace(node, address="192.0.2.78"))]), world)
    assert moved.services["web"].instances[0].address == "192.0.2.78"


def test_what_did_not_change_is_the_same_object() -> None:
    first = World.of(snapshot(instance(), instance("db")))
    second = World.of(apply(first.snapshot, [Put(instance("db", port=1))]), first)
    assert second.services["web"] is first.services["web"]
    assert second.services["db"] is not first.services["db"]
    owned = World.of(apply(second.snapshot, [Put(instance("db", port=1, owner="x"))]), second)
    assert owned.services["db"] is second.services["db"], "templates do not see the owner"


def test_reads_decide_what_concerns_a_template() -> None:
    first = World.of(snapshot(instance(), instance("db")))
    changed = World.of(apply(first.snapshot, [Put(instance("db", port=1))]), first)
    fewer = World.of(apply(first.snapshot, [Drop("db", instance("db").id)]), first)
    for looks, concerned in (
        (lambda one: one.service("web"), False),
        (lambda one: one.service("db"), True),
        (lambda one: one["db"], True),
        (lambda one: "db" in one, True),
        (lambda one: one.get("web"), False),
        (list, True),
        (len, True),
    ):
        seen, reads = view(first)
        looks(seen)
        assert changed.differs(first, reads) == concerned
        assert fewer.differs(first, reads) == concerned
    assert not changed.differs(first, Reads())


def test_nodes_concern_only_those_who_look_at_them() -> None:
    first = World.of(apply(EMPTY, [PutNode(Node(name="n", address="192.0.2.1"))]))
    second = World.of(apply(first.snapshot, [PutNode(Node(name="n", address="192.0.2.2"))]), first)
    seen, reads = view(first)
    assert not second.differs(first, reads)
    assert {name: node.address for name, node in seen.names()["nodes"].items()} == {  # type: ignore[attr-defined]
        "n": "192.0.2.1"
    }
    assert second.differs(first, reads)
    same = World.of(
        apply(first.snapshot, [PutNode(Node(name="n", address="192.0.2.1", id="i"))]), first
    )
    assert not same.differs(first, reads)


def test_a_service_that_is_absent_is_empty_and_remembered() -> None:
    seen, reads = view(World.of(Snapshot()))
    assert seen.service("none").ready == ()
    assert reads.services == {"none"}
    with pytest.raises(KeyError):
        seen["none"]


def test_keys_are_exact_or_below_and_remembered() -> None:
    entries = (Entry(key="app", value=b"1"), Entry(key="app/x", value=b"\xff"))
    seen, reads = view(World.of(Snapshot()), *entries)
    assert seen.key("app") == "1"
    assert seen.key("none", "default") == "default"
    with pytest.raises(RenderError, match="key 'none' does not exist"):
        seen.key("none")
    pairs = seen.keys_below("app")
    assert [pair.key for pair in pairs] == ["app", "app/x"]
    assert isinstance(pairs[1].value, Suspect)
    assert reads.prefixes == {"app", "none"}
    with pytest.raises(RenderError, match="is a text"):
        seen.key(1)  # type: ignore[arg-type]


def test_members_and_counts_are_for_the_guard() -> None:
    world = World.of(snapshot(instance(), instance(id_="b", draining=True), instance("db")))
    assert len(world.members()) == 3
    assert world.count({"web", "none"}) == 1


def test_made_up_data_is_a_snapshot_and_keys() -> None:
    text = b"""{"services": {"web": [{"address": "192.0.2.1"}, {"port": 81, "status": "critical"}]},
        "nodes": {"node-1": "192.0.2.9"}, "keys": {"a": "b"}}"""
    made, keys = mock_of(text, "x.json")
    world = World.of(made)
    assert [one.socket for one in world.services["web"].instances] == [
        "192.0.2.1:80", "192.0.2.9:81",
    ]  # fmt: skip
    assert keys["a"].value == b"b"


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"service": {}}', b'{"keys": {"a": 1}}'])
def test_made_up_data_that_is_wrong_is_told(text: bytes) -> None:
    with pytest.raises(ConfigError, match=r"x\.json: "):
        mock_of(text, "x.json")
