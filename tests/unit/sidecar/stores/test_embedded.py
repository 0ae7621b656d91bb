import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from sidecar.catalog import Change, Drop, DropNode, InstanceId, Node, Put, PutNode, Status
from sidecar.catalog.live import Catalog
from sidecar.errors import StoreCorrupt, StoreDenied, StoreUnavailable
from sidecar.stores.codec import checksum
from sidecar.stores.embedded import EmbeddedStore
from sidecar.stores.journal import SKIP, Journal
from tests.support.catalog import instance, puts

WEB = instance(meta={"a": "b"}, tags=("x", "y"), status=Status.WARNING, owner="me")


async def test_in_memory_store_commits_to_the_catalogue() -> None:
    store = await EmbeddedStore.open("")
    await store.commit(puts(WEB))
    assert store.catalog.snapshot.services["web"] == (WEB,)
    assert await store.owned("me") == (WEB,)
    assert await store.owned("you") == ()
    store.mark_synced()
    assert store.catalog.synced
    await store.close()


async def test_durable_store_gives_back_everything_after_a_clean_end(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(str(tmp_path))
    node: Change = PutNode(Node(name="n", address="192.0.2.9", meta={"rack": "1"}))
    await store.commit([*puts(WEB, instance(id_="gone")), node])
    await store.commit([Drop("web", InstanceId("gone"))])
    before = store.catalog.snapshot
    await store.close()
    again = await EmbeddedStore.open(str(tmp_path))
    assert again.catalog.snapshot.services == before.services
    assert again.catalog.snapshot.nodes == before.nodes
    assert again.catalog.snapshot.index == before.index
    assert not again.catalog.synced
    await again.commit([DropNode("n")])
    await again.close()


async def test_index_skips_after_an_unclean_end(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(str(tmp_path))
    await store.commit(puts(WEB))
    seen = store.catalog.snapshot.index
    assert store._journal is not None
    store._journal._database.close()  # as kill -9 leaves it
    again = await EmbeddedStore.open(str(tmp_path))
    assert again.catalog.snapshot.index == seen + SKIP
    assert again.catalog.snapshot.services["web"] == (WEB,)
    await again.close()


TABLES = ("services_index", "nodes_index", "checks_index", "extinct_index")


@pytest.mark.parametrize("clean", [True, False], ids=["clean", "killed"])
@pytest.mark.parametrize("left", [True, False], ids=["others left", "nothing left"])
async def test_no_table_goes_back_at_a_restart(tmp_path: Path, clean: bool, left: bool) -> None:
    store = await EmbeddedStore.open(str(tmp_path))
    await store.commit(puts(instance("web"), instance("db")))
    await store.commit([Drop("web", instance("web").id)])
    if not left:
        await store.commit([Drop("db", instance("db").id)])
    before = store.catalog.snapshot
    if clean:
        await store.close()
    else:
        assert store._journal is not None
        store._journal._database.close()  # as kill -9 leaves it
    again = await EmbeddedStore.open(str(tmp_path))
    after = again.catalog.snapshot
    await again.close()
    assert before.extinct_index == (2 if left else 3)
    assert all(getattr(after, name) >= getattr(before, name) for name in TABLES)
    if clean:
        assert after.extinct_index == before.extinct_index


async def test_without_an_extinction_there_is_none_after_a_restart(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(str(tmp_path))
    await store.commit(puts(instance("web")))
    await store.close()
    again = await EmbeddedStore.open(str(tmp_path))
    await again.close()
    assert again.catalog.snapshot.extinct_index == 0


async def test_second_process_on_one_directory_is_refused(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(str(tmp_path))
    with pytest.raises(StoreDenied, match="in use by another process"):
        await EmbeddedStore.open(str(tmp_path))
    await store.close()


async def test_directory_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreDenied, match="state directory"):
        await EmbeddedStore.open(str(tmp_path / "file" / "below"))


@pytest.mark.parametrize("damage", [b"no database" * 100, b"SQLite format 3\0" + b"x" * 99])
async def test_damaged_file_is_refused_with_status_65(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "catalog.sqlite3").write_bytes(damage)
    with pytest.raises(StoreCorrupt, match=r"catalog\.sqlite3 is damaged") as caught:
        await EmbeddedStore.open(str(tmp_path))
    assert caught.value.exit_status == 65


async def test_an_entry_that_is_no_instance_counts_as_damage(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(str(tmp_path))
    await store.close()
    with sqlite3.connect(tmp_path / "catalog.sqlite3") as database:
        row = ("web", "n", "x", b"{}", checksum(b"{}"))
        database.execute("INSERT INTO instance VALUES (?, ?, ?, ?, ?)", row)
    database.close()
    with pytest.raises(StoreCorrupt):
        await EmbeddedStore.open(str(tmp_path))


class _FullDisk:
    """A journal that refuses writes until the disk has room again."""

    commits = 0
    has_copy = True

    def __init__(self) -> None:
        self.full = True
        self.written: list[list[Change]] = []
        self.closed: bool | None = None

    def write(self, changes: list[Change], index: int, extinct: int = 0) -> None:
        if self.full:
            raise StoreUnavailable("disk full")
        self.written.append(list(changes))

    def close(self, index: int, *, clean: bool) -> None:
        self.closed = clean


async def test_full_disk_refuses_the_write_but_reads_go_on_and_nothing_is_forgotten() -> None:
    disk = _FullDisk()
    store = EmbeddedStore(Catalog(), disk)  # type: ignore[arg-type]
    with pytest.raises(StoreUnavailable):
        await store.commit(puts(WEB))
    with pytest.raises(StoreUnavailable):
        await store.commit(puts(instance(port=1)))
    assert store.trouble() == "disk full"
    assert store.catalog.snapshot.services["web"][0].port == 1
    disk.full = False
    await store.commit(puts(instance("api", "other")))
    assert store.trouble() is None
    assert disk.written == [[Put(instance(port=1)), Put(instance("api", "other"))]]
    await store.close()
    assert disk.closed is True


async def test_end_on_a_full_disk_is_marked_unclean() -> None:
    disk = _FullDisk()
    store = EmbeddedStore(Catalog(), disk)  # type: ignore[arg-type]
    with pytest.raises(StoreUnavailable):
        await store.commit(puts(WEB))
    await store.close()
    assert disk.closed is False


class _SlowDisk(_FullDisk):
    """A journal whose first write waits for a signal."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False
        self.started = threading.Event()
        self.go = threading.Event()

    def write(self, changes: list[Change], index: int, extinct: int = 0) -> None:
        self.started.set()
        self.go.wait(5)
        super().write(changes, index)


async def test_commits_during_a_write_are_written_together_by_the_next() -> None:
    disk = _SlowDisk()
    store = EmbeddedStore(Catalog(), disk)  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as group:
        group.create_task(store.commit(puts(instance(id_="a"))))
        await asyncio.to_thread(disk.started.wait, 5)
        for name in ("b", "c", "d"):
            group.create_task(store.commit(puts(instance(id_=name))))
        await asyncio.sleep(0)
        disk.go.set()
    assert [len(batch) for batch in disk.written] == [1, 3]


def test_a_journal_of_a_read_only_database_says_so(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal._database.execute("PRAGMA query_only=1")
    with pytest.raises(StoreUnavailable, match="cannot write"):
        journal.write(puts(WEB), 1)
    journal.close(1, clean=True)


def test_a_put_and_drop_of_one_entry_leave_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write([*puts(WEB), Drop("web", WEB.id)], 2)
    assert journal.load()[0].services == {}
    journal.close(2, clean=True)
