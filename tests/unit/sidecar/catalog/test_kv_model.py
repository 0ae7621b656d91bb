"""The table against a plain dict: contents, order, and indexes that never fall."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sidecar.catalog.draft import Draft, State
from sidecar.catalog.kv import KeyValues
from sidecar.catalog.sessions import Sessions
from tests.support.keys import A, B, Tables, session

KEYS = st.sampled_from(["a", "a/", "a/b", "a/b/c", "ab", "b", "b/a", "é"])
VALUES = st.sampled_from([b"", b"1", b"2"])
PREFIXES = ["", "a", "a/", "a/b", "b", "b/", "x"]


class KeysLikeADict(RuleBasedStateMachine):
    """Every rule does the same to the table and to a dict of key to (value, holder)."""

    @initialize(tombstones=st.integers(1, 6))
    def start(self, tombstones: int) -> None:
        self.tables = Tables()
        self.tables.state = State(KeyValues(tombstones=tombstones), Sessions())
        self.tables.add(session(A, lock_delay=0.0), session(B, lock_delay=0.0, behavior="delete"))
        self.model: dict[str, tuple[bytes, str]] = {}
        self.seen: dict[tuple[str, str], int] = {}
        self.shown: dict[tuple[str, str], object] = {}

    @rule(key=KEYS, value=VALUES)
    def put(self, key: str, value: bytes) -> None:
        self.tables.put(key, value=value)
        self.model[key] = (value, self.model.get(key, (b"", ""))[1])

    @rule(key=KEYS, value=VALUES, holder=st.sampled_from([A, B]))
    def acquire(self, key: str, value: bytes, holder: str) -> None:
        done = self.tables.do(lambda draft, at: draft.acquire(key, value, 0, holder, at))
        assert done is (self.model.get(key, (b"", ""))[1] in {"", holder})
        if done:
            self.model[key] = (value, holder)

    @rule(holder=st.sampled_from([A, B]))
    def end_session(self, holder: str) -> None:
        self.tables.do(lambda draft, at: draft.destroy(holder, at))
        for key, (value, by) in list(self.model.items()):
            if by == holder and holder == A:
                self.model[key] = (value, "")
            elif by == holder:
                del self.model[key]
        again = session(holder, lock_delay=0.0, behavior="release" if holder == A else "delete")
        self.tables.add(again)

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        self.tables.do(lambda draft, at: draft.delete(key, at))
        self.model.pop(key, None)

    @rule(prefix=st.sampled_from(PREFIXES))
    def delete_tree(self, prefix: str) -> None:
        self.tables.do(lambda draft, at: draft.delete_tree(prefix, at))
        self.model = {k: v for k, v in self.model.items() if not k.startswith(prefix)}

    @rule(writes=st.lists(st.tuples(KEYS, st.none() | VALUES), max_size=4))
    def batch(self, writes: list[tuple[str, bytes | None]]) -> None:
        draft = Draft(self.tables.state)
        moment = self.tables.moment()
        for key, value in writes:
            moment = self.tables.moment()
            if value is None:
                draft.delete(key, moment)
                self.model.pop(key, None)
            else:
                draft.put(key, value, 0, moment)
                self.model[key] = (value, self.model.get(key, (b"", ""))[1])
        for prefix in PREFIXES:
            assert draft.keys(prefix) == sorted(k for k in self.model if k.startswith(prefix))
        self.tables.state.commit(draft, moment)

    @rule()
    def restart(self) -> None:
        kv = self.tables.state.kv
        self.tables.state.kv = KeyValues(kv.list().entries, kv.index, tombstones=3)

    @invariant()
    def holds_the_same(self) -> None:
        if not hasattr(self, "model"):
            return
        for prefix in PREFIXES:
            found = [(e.key, e.value, e.session) for e in self.tables.state.kv.list(prefix).entries]
            assert found == sorted(
                (key, value, by)
                for key, (value, by) in self.model.items()
                if key.startswith(prefix)
            )

    @invariant()
    def no_index_falls_and_none_stays_when_something_changed(self) -> None:
        if not hasattr(self, "model"):
            return
        kv = self.tables.state.kv
        for prefix in PREFIXES:
            self._look("prefix", prefix, kv.index_below(prefix), kv.list(prefix).entries)
            self._look("key", prefix, kv.index_of(prefix), kv.get(prefix))
        assert kv.index <= max(1, self.tables.index)

    def _look(self, kind: str, name: str, index: int, shown: object) -> None:
        before = self.seen.get((kind, name), 1)
        assert index >= before, (kind, name)
        if (kind, name) in self.shown and self.shown[kind, name] != shown:
            assert index > before, (kind, name)
        self.seen[kind, name] = index
        self.shown[kind, name] = shown


TestKeysLikeADict = KeysLikeADict.TestCase
TestKeysLikeADict.settings = settings(max_examples=120, stateful_step_count=25)
