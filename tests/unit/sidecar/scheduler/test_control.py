"""What is wanted outlives processes, and is the same for all of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sidecar.catalog.live import Catalog
from sidecar.errors import ApiError, StoreConflict
from sidecar.runtime.clock import FakeClock
from sidecar.scheduler import labels
from sidecar.scheduler.bundle import Bundle, bundle_of
from sidecar.scheduler.canary import Kept, Phase
from sidecar.scheduler.cluster import Cluster
from sidecar.scheduler.control import Control
from sidecar.scheduler.files import StackFile, read_file
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.model import Availability, ContainerView, NodeView
from sidecar.scheduler.recipe import Build, Recipe, packed, spec_of
from sidecar.scheduler.stash import Stash
from sidecar.scheduler.telling import Teller
from sidecar.stores.embedded import EmbeddedStore
from tests.support.office import STACK, Office, office


def _bundle(text: str = STACK) -> Bundle:
    return bundle_of(text.encode(), "shop")


def _sizes(here: Office) -> dict[str, int | None]:
    return {each.service: each.size for each in here.control.goals(here.world.cluster())}


async def _until(here: Office, condition: object) -> None:
    assert callable(condition)
    while not condition():
        here.control.changed.clear()
        await asyncio.wait_for(here.control.changed.wait(), 20)


async def test_another_process_finds_what_was_ordered(tmp_path: Path) -> None:
    store = EmbeddedStore(Catalog())
    async with office(tmp_path, keys=store.kv, lives=False) as one:
        await one.orders.deploy("shop", _bundle())
        await one.orders.scale("shop", "web", 5, by="test")
        await one.orders.pause("shop", "web")
        async with office(tmp_path / "two", keys=store.kv, lives=False) as other:
            assert _sizes(other) == {"shop/web": 5, "shop/db": 1}
            await other.orders.scale("shop", "web", 6, by="test")
            await _until(one, lambda: _sizes(one)["shop/web"] == 6)
            await other.orders.deploy("shop", None)
            await _until(one, lambda: _sizes(one) == {})
    await store.close()


async def test_without_a_store_a_file_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "scheduler.db"
    store = EmbeddedStore(Catalog())
    stash = Stash(store.kv, path)
    await stash.restore()
    async with office(tmp_path, keys=stash, lives=False) as here:
        await here.orders.deploy("shop", _bundle())
        await here.orders.scale("shop", "web", 5, by="test")
        here.control.scene = here.control.scene.__class__(Cluster((NodeView(name="n1"),), {}))
        await here.orders.move("n1", Availability.DRAIN)
        await here.orders.move("n1", Availability.ACTIVE)
        await here.orders.move("n1", Availability.PAUSE)
    await store.close()
    again = EmbeddedStore(Catalog())
    back = Stash(again.kv, path)
    await back.restore()
    async with office(tmp_path, keys=back, lives=False) as here:
        assert _sizes(here)["shop/web"] == 5
        assert here.control.availability("n1") is Availability.PAUSE
        assert here.control.availability("n2") is Availability.ACTIVE
    assert (await back.get("pinnace/availability/n1")) is not None
    await again.close()


async def test_a_damaged_file_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.db"
    await asyncio.to_thread(path.write_bytes, b"nonsense" * 1000)
    store = EmbeddedStore(Catalog())
    await Stash(store.kv, path).restore()
    assert await asyncio.to_thread((tmp_path / "scheduler.db.broken").exists)
    blocked = Stash(store.kv, Path("/dev/null/x"))
    await blocked.put("pinnace/stacks/a/rev/1", b"{}")  # told in the log, and in force all the same
    await blocked.delete("pinnace/stacks/a/rev/1")
    await store.close()


async def test_recipes_are_known_of_all_revisions_and_of_labels(tmp_path: Path) -> None:
    async with office(tmp_path, lives=False) as here:
        await here.orders.deploy("shop", _bundle())
        (first,) = {
            g.spec for g in here.control.goals(here.world.cluster()) if g.service == "shop/web"
        }
        await here.orders.deploy("shop", _bundle(STACK.replace("nginx", "other")))
        old = here.control.recipe("shop/web", first)
        assert old is not None
        assert old.build.image == "nginx"
        assert here.control.recipe("shop/web", "none") is None
        recipe = Recipe(build=Build(image="before"))
        marks = {
            labels.STACK: "shop", labels.SERVICE: "db", labels.SLOT: "1", labels.SPEC: "x",
            labels.INCARNATION: "1", labels.PREV: packed(recipe),
        }  # fmt: skip
        view = ContainerView(name="c", labels=marks, stack="shop", service="db", slot="1")
        foreign = ContainerView(name="d", labels={labels.PREV: packed(recipe)})
        cluster = Cluster((NodeView(name="n1", containers=(view, foreign)),), {})
        found = {each.service: each for each in here.control.goals(cluster)}["shop/db"]
        assert found.previous is not None
        assert here.control.recipe("shop/db", spec_of(recipe)) == recipe
        assert await here.orders.rollback("shop", "db") == -1
        back = {each.service: each for each in here.control.goals(cluster)}["shop/db"]
        assert back.spec == spec_of(recipe)


@pytest.mark.parametrize(
    ("order", "says"),
    [
        (lambda o: o.deploy("shop", None), "there is no stack 'shop'; there is none"),
        (lambda o: o.deploy("shop", _bundle("services: {a: {}}")), "services.a has no image"),
        (lambda o: o.deploy("shop", _bundle("services: {a: {image: x, profiles: [p]}}")),
         "shop has no services"),
        (lambda o: o.pause("shop", "web"), "there is no stack 'shop'"),
        (lambda o: o.move("n9", Availability.DRAIN), "there is no node 'n9'; there is none"),
    ],
)  # fmt: skip
async def test_orders_that_make_no_sense_are_refused(
    tmp_path: Path, order: object, says: str
) -> None:
    assert callable(order)
    async with office(tmp_path, lives=False) as here:
        with pytest.raises(ApiError, match=says):
            await order(here.orders)


async def test_a_global_service_is_not_scaled(tmp_path: Path) -> None:
    text = "services: {a: {image: x, deploy: {mode: global}}}"
    async with office(tmp_path, lives=False) as here:
        await here.orders.deploy("shop", _bundle(text))
        with pytest.raises(ApiError, match="a is global"):
            await here.orders.scale("shop", "a", 2, by="test")


async def test_two_who_deploy_at_once_both_get_a_revision(tmp_path: Path) -> None:
    async with office(tmp_path, lives=False) as here:
        numbers = await asyncio.gather(
            *(here.orders.deploy("shop", _bundle(STACK + f"# {n}")) for n in range(3))
        )
        assert max(numbers) == 3
        stack = here.control.stacks["shop"].stack
        assert [each.number for each in stack.revisions] == [1, 2, 3]


async def test_a_store_that_never_takes_it_is_told_of(tmp_path: Path) -> None:
    class Stubborn(Stash):
        async def put(
            self, key: str, value: bytes, *, flags: int = 0, cas: int | None = None
        ) -> None:
            raise StoreConflict(key)

    store = EmbeddedStore(Catalog())
    async with office(tmp_path, keys=Stubborn(store.kv, tmp_path / "x"), lives=False) as here:
        with pytest.raises(StoreConflict):
            await here.orders.deploy("shop", _bundle())
    await store.close()


async def test_what_cannot_be_read_hurts_nothing_else(tmp_path: Path) -> None:
    async with office(tmp_path, lives=False) as here:
        await here.keys.put("pinnace/stacks/bad/rev/1", b"{")
        await here.orders.deploy("shop", _bundle())
        assert here.control.stacks.keys() == {"shop"}


async def test_a_stopped_rollout_is_kept(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        await here.orders.deploy("shop", _bundle())
        while len(here.world.copies.get("shop/web", ())) < 2:
            await asyncio.sleep(0.001)
        (spec,) = {each.spec for each in here.world.copies["shop/web"]}

        def befall(world: object) -> None:
            for copy in here.world.copies["shop/web"]:
                if copy.spec != spec and copy.stage.value == "running":
                    here.world.crash(copy.name)

        here.befall = befall
        await here.orders.deploy("shop", _bundle(STACK.replace("nginx", "bad")))
        await _until(here, lambda: here.control.stacks["shop"].stack.override("web").stopped)


async def _file(here: Office, path: Path, clock: FakeClock) -> StackFile:
    return StackFile(path, here.control, here.orders, clock=clock, environ={"TAG": "7"})


async def test_a_stack_file_is_deployed_when_it_says_something_new(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "shop.yaml"
    await asyncio.to_thread(path.write_text, STACK.replace("nginx", "nginx:$TAG"))
    async with office(tmp_path, lives=False) as here:
        file = await _file(here, path, clock)
        async with _watching(file):
            stack = here.control.stacks["shop"].stack
            assert stack.newest.source == str(path)
            assert stack.newest.bundle is not None
            assert stack.newest.bundle.environ == {"TAG": "7"}
            await here.orders.scale("shop", "web", 9, by="test")
            await asyncio.to_thread(path.write_text, STACK)
            await _turn(clock, lambda: here.control.stacks["shop"].stack.newest.number == 2)
            assert _sizes(here)["shop/web"] == 9
            await asyncio.to_thread(path.write_text, "services: {a: {}}")
            await _turn(clock, lambda: file.trouble() is not None)
            assert "has no image" in str(file.trouble())
            await asyncio.to_thread(path.write_text, STACK)
            await _turn(clock, lambda: file.trouble() is None)
        assert here.control.stacks["shop"].stack.newest.number == 2
        await here.orders.rollback("shop", "web")
        async with _watching(await _file(here, path, clock)):
            pinned = here.control.stacks["shop"].stack.override("web").pinned
            assert pinned == 1, "a restart undoes no order"


@asynccontextmanager
async def _watching(file: StackFile) -> AsyncIterator[None]:
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(file.run(ready.set))
        await ready.wait()
        yield
        task.cancel()


async def _turn(clock: FakeClock, condition: object) -> None:
    assert callable(condition)
    for _ in range(2000):
        if condition():
            return
        await clock.advance(1.0)
        await asyncio.sleep(0.005)
    raise AssertionError("nothing happened")


def test_files_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    assert read_file(str(tmp_path)) is None
    assert read_file(str(tmp_path / "none")) is None
    with (tmp_path / "big").open("wb") as file:
        file.truncate(9 << 20)
    assert read_file(str(tmp_path / "big")) is None


def test_control_has_a_name() -> None:
    assert Control.name == "control"


_TRIED = STACK.replace("drain: 1s", "drain: 1s, canary: {steps: [10, 50], hold: 1h}")


async def test_another_process_shows_a_trial_at_its_step_for_as_long_as_it_was_held(
    tmp_path: Path,
) -> None:
    store = EmbeddedStore(Catalog())
    async with office(tmp_path, keys=store.kv) as one:
        await one.orders.deploy("shop", _bundle(_TRIED))
        while len(one.world.copies.get("shop/web", ())) < 2:
            await asyncio.sleep(0.001)
        await one.orders.deploy("shop", _bundle(_TRIED.replace("nginx", "better")))
        await _until(one, lambda: (_kept(one) or _STARTING).phase is Phase.TRYING)
        copies = one.world
    async with office(tmp_path / "two", keys=store.kv, lives=False) as other:
        other.wall += 600.0
        other.world = copies
        other.world.memory = Memory()
        other.world.wall = other.wall
        other.look()
        trial = Teller(other.control, lambda: True).stack("shop")["services"][0]["trial"]
        assert (trial["phase"], trial["step"], trial["share"]) == ("trying", 1, 10.0)
        assert 599.0 <= trial["held"] <= 700.0
        await other.orders.rollback("shop", "web")
        assert _kept(other) is None
        other.look()
        assert Teller(other.control, lambda: True).stack("shop")["services"][0]["trial"] is None
    await store.close()


_STARTING = Kept("", Phase.STARTING)


def _kept(here: Office) -> Kept | None:
    return here.control.stacks["shop"].stack.override("web").trial
