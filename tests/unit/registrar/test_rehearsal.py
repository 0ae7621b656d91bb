import pytest

from registrar.rehearsal import rehearsed
from sidecar.catalog.model import InstanceId, Key
from tests.support.docker import PLACE
from tests.support.fake_edge import FakeEdge
from tests.support.fake_engine import FakeEngine


async def test_a_rehearsal_tells_what_differs_and_writes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine, there, away, empty = FakeEngine(), FakeEdge("a"), FakeEdge("b"), FakeEdge("c")
    engine.add("one")
    engine.add("two", published={"80/tcp": ":8082"}, env=("SERVICE_NAME=../etc",))
    away.is_down = True
    there.marks[Key("bb", "vm", InstanceId("vm:old:80"))] = "registrar:e"
    before = await rehearsed(engine, [empty], PLACE)
    (one,) = before.by_store["c"]
    there.held[Key(one.service, one.node, one.id)] = one
    found = await rehearsed(engine, [there, away, empty], PLACE)
    assert found.by_store == {"a": (), "b": (one,), "c": (one,)}
    assert found.removed == {"a": (Key("bb", "vm", InstanceId("vm:old:80")),), "b": (), "c": ()}
    assert [(p.container, p.label) for p in found.problems] == [("two", "SERVICE_NAME")]
    assert there.writes == away.writes == empty.writes == []
    spared = await rehearsed(engine, [there], PLACE, removes=False)
    assert spared.removed == {"a": ()}
    assert [r.getMessage() for r in caplog.records] == ["store not compared"]
