"""The embedded keys and sessions: written first, then visible.

Operations wait in a queue. Once per turn of the loop all that wait are run against a draft, in
order; the draft goes to the disk as one transaction, and only then into the tables, and only
then are the callers told. So a commit is shared by whoever came meanwhile, a full disk changes
nothing, and nobody ever saw what a crash can take back. A caller that is cancelled does not
disturb the others: the write belongs to nobody.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sidecar.catalog.draft import Draft, Operation, State
from sidecar.catalog.kv import Entry, KeyValues, Listing
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Snapshot
from sidecar.catalog.query import check_statuses
from sidecar.catalog.sessions import Moment, Sessions
from sidecar.errors import PinnaceError, StoreConflict, StoreUnavailable
from sidecar.metrics import counter, gauge
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.runtime.signal import Signal
from sidecar.stores.disk import Disk
from sidecar.stores.watchers import Watchers

if TYPE_CHECKING:
    from sidecar.stores.journal import Journal

__all__ = ["EmbeddedKeyValue"]

T = TypeVar("T")
_commits = counter("pinnace_stores_kv_commits_total", "Grouped commits of keys and sessions")
_keys = gauge("pinnace_stores_kv_keys", "Keys in the embedded store")
_expired = counter("pinnace_stores_sessions_expired_total", "Sessions ended by their TTL")
_log = get_logger("kv")

_TICK: Final = 1.0  # how late a TTL may be noticed, and how long a pause counts as normal
_MOST: Final = 1_000  # operations in one commit

_Waiting = tuple[Operation[Any], asyncio.Future[Any]]
_Answer = tuple[asyncio.Future[Any], Any, Exception | None]
_Answers = list[_Answer]


class EmbeddedKeyValue:
    """Keys, locks and sessions of this process; ``run`` lets TTLs end."""

    name = "kv"

    def __init__(
        self,
        catalog: Catalog,
        clock: Clock,
        journal: "Journal | None" = None,
        state: State | None = None,
        disk: Disk | None = None,
    ) -> None:
        """Take indexes from the catalogue; write to the journal when there is one."""
        self._catalog = catalog
        self._clock = clock
        self._journal = journal
        self._state = State() if state is None else state
        self._watchers = Watchers()
        self._sessions_changed = Signal()
        self._queue: list[_Waiting] = []
        self._scheduled = False
        self._writing = False
        self._idle = Signal()
        self._closed = False
        self._disk = disk or Disk()
        self._ending: set[str] = set()
        self._awake = 0.0
        self._seen = clock.monotonic()

    # --- reading ---------------------------------------------------------------------------

    @property
    def kv(self) -> KeyValues:
        """The committed keys."""
        return self._state.kv

    @property
    def sessions(self) -> Sessions:
        """The committed sessions."""
        return self._state.sessions

    def trouble(self) -> str | None:
        """Return what keeps writes from the disk, or None."""
        return self._disk.trouble

    async def key_changed(self, key: str) -> None:
        """Return when the index of this key may have moved."""
        await (self._watchers.key(key) if self.kv.get(key) else self._watchers.any())

    async def prefix_changed(self, prefix: str) -> None:
        """Return when the index of this prefix may have moved."""
        own = prefix and self.kv.has_own_index(prefix)
        await (self._watchers.prefix(prefix) if own else self._watchers.any())

    async def sessions_changed(self) -> None:
        """Return when a session came or went."""
        await self._sessions_changed.wait()

    async def get(self, key: str) -> Entry | None:
        """Return one entry, or None."""
        return self.kv.get(key)

    async def list(self, prefix: str) -> Listing:
        """Return the entries below a prefix, sorted."""
        return self.kv.list(prefix)

    async def watch(self, prefix: str, after: int = -1) -> AsyncIterator[Listing]:
        """Yield the present listing, unless its index is ``after``, then each newer one."""
        while True:
            if self.kv.index_below(prefix) != after:
                listing = self.kv.list(prefix)
                after = listing.index
                yield listing
            else:
                await self.prefix_changed(prefix)

    # --- writing ---------------------------------------------------------------------------

    async def put(self, key: str, value: bytes, *, flags: int = 0, cas: int | None = None) -> None:
        """Write a key. Raises StoreConflict when it was not last changed at index ``cas``."""

        def operation(draft: Draft, at: Moment) -> bool:
            if cas is None:
                draft.put(key, value, flags, at)
                return True
            return draft.put_if(key, value, flags, cas, at)

        if not await self.submit(operation):
            raise StoreConflict(f"{key} was changed by another")

    async def delete(self, key: str) -> None:
        """Remove a key, if it is there."""
        await self.submit(lambda draft, at: draft.delete(key, at))

    async def submit(self, operation: Operation[T]) -> T:
        """Run an operation and return its result once it is on the disk and visible.

        Raises ApiError (the operation refused) or StoreUnavailable (nothing was changed).
        """
        if self._closed:
            raise StoreUnavailable("the store is closing")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._queue.append((operation, answer))
        self._schedule()
        return await answer

    async def follow(self, before: Snapshot, after: Snapshot) -> None:
        """End the sessions whose checks or node went or turned critical with this commit.

        What the disk does not take is tried again with the next commit.
        """
        if after is not before and len(self.sessions):
            local = {s.node for s in self.sessions.list()} - before.nodes.keys()
            known = [
                lambda node, at=at: check_statuses(at, node, own=node if node in local else "")
                for at in (before, after)
            ]
            self._ending |= set(self.sessions.ended_by(*known))
        if not self._ending:
            return
        ending = sorted(self._ending)

        def operation(draft: Draft, at: Moment) -> None:
            for id_ in ending:
                draft.destroy(id_, at)

        await self.submit(operation)
        self._ending.difference_update(ending)

    async def close(self) -> None:
        """Take no more writes and wait for those under way."""
        self._closed = True
        while self._writing or self._queue:
            await self._idle.wait()

    def _schedule(self) -> None:
        if self._queue and not (self._scheduled or self._writing):
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._scheduled = False
        batch, self._queue = self._queue[:_MOST], self._queue[_MOST:]
        draft = Draft(self._state)
        moment = self._moment(0)
        answers: list[_Answer] = []
        for operation, answer in batch:
            if not answer.done():
                moment = self._moment()
                answers.append((answer, *_outcome(operation, draft, moment)))
        if self._journal is None or not draft.writes:
            self._commit(draft, moment)
            self._end(answers)
            return
        self._writing = True
        write = asyncio.get_running_loop().run_in_executor(
            None, self._journal.write_keys, draft.entries, draft.sessions, self._catalog.index
        )
        write.add_done_callback(lambda done: self._written(done, draft, moment, answers))

    def _written(
        self, write: asyncio.Future[None], draft: Draft, moment: Moment, answers: _Answers
    ) -> None:
        self._writing = False
        error = _failure(write)
        if error is None:
            self._commit(draft, moment)
        else:
            answers = [(answer, None, error) for answer, _, _ in answers]
        self._disk.note(error)
        self._end(answers)

    def _commit(self, draft: Draft, moment: Moment) -> None:
        self._state.commit(draft, moment)
        if draft.entries:
            self._watchers.changed(draft.entries)
            _keys.set(len(self.kv))
        if draft.sessions:
            self._sessions_changed.fire()
        if draft.writes:
            _commits.inc()

    def _end(self, answers: _Answers) -> None:
        for answer, result, error in answers:
            if answer.done():
                continue  # the caller went away
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(result)
        self._schedule()
        self._idle.fire()

    # --- time ------------------------------------------------------------------------------

    async def run(self, ready: Callable[[], None]) -> None:
        """End sessions whose TTL has passed; one timer, and none while no session has a TTL."""
        ready()
        while True:
            while not self.sessions.have_deadlines:
                await self.sessions_changed()
            await self._clock.sleep(_TICK)
            if self.sessions.expired(self._moment(0).awake):
                try:
                    await self.submit(self._expire)
                except StoreUnavailable as error:
                    _log.warning("sessions cannot end", error=error)

    def _expire(self, draft: Draft, at: Moment) -> None:
        for id_ in self.sessions.expired(at.awake):
            if id_ not in draft.renewed:
                draft.destroy(id_, at)
                _expired.inc()

    def _moment(self, index: int | None = None) -> Moment:
        """Return now. Of a time in which we did not run, only what is normal counts as awake."""
        now = self._clock.monotonic()
        self._awake += min(now - self._seen, 2 * _TICK)
        self._seen = now
        return Moment(self._catalog.next_index() if index is None else index, now, self._awake)


def _outcome(
    operation: Operation[Any], draft: Draft, moment: Moment
) -> tuple[Any, Exception | None]:
    try:
        return operation(draft, moment), None
    except PinnaceError as error:
        return None, error
    except Exception as error:  # noqa: BLE001 - one caller's bug must not hang the others
        return None, error


def _failure(write: asyncio.Future[None]) -> Exception | None:
    if write.cancelled():
        return StoreUnavailable("the write was given up")
    error = write.exception()
    return error if error is None or isinstance(error, Exception) else StoreUnavailable(str(error))
