"""Runs count their replies back to who asked; the slow log keeps no values."""

import pytest

from ambassador.frame.address import Address
from ambassador.redis.commands import Route, Table
from ambassador.redis.resp import packed
from ambassador.redis.run import STREAM, Ask, ClientRun, Owner, RoleRun, Unheard, class_of
from ambassador.redis.settings import Listener
from ambassador.redis.slowlog import SlowLog


class Noting(Owner):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []

    def answered(self, run: ClientRun, reply: bytes) -> None:
        self.told.append(("answered", reply))

    def streamed(self, run: ClientRun) -> None:
        self.told.append(("streamed", b"".join(run.parts)))
        run.is_streamed = True
        run.parts = []

    def swelled(self, size: int) -> None:
        self.told.append(("swelled", size))

    def failed(self, run: ClientRun, why: str, *, was_sent: bool) -> None:
        self.told.append(("failed", (why, was_sent)))

    def inspect(self, run: ClientRun, reply: bytes) -> None:
        self.told.append(("inspect", reply))

    def moved(self, run: ClientRun) -> None:
        self.told.append(("moved", run.data))


def client_run(owner: Noting) -> ClientRun:
    return ClientRun(owner, packed(b"GET", b"k"), 1, Route.READ, 0.0)


def test_a_reply_in_pieces_is_answered_whole() -> None:
    owner = Noting()
    run = client_run(owner)
    run.partial(b"$3\r\na")
    run.finish(b"bc\r\n")
    assert owner.told == [("answered", b"$3\r\nabc\r\n")]


def test_a_long_reply_goes_on_as_it_comes() -> None:
    owner = Noting()
    run = client_run(owner)
    run.partial(b"x" * (STREAM + 1))
    run.partial(b"y")
    run.finish(b"z")
    assert [event for event, _ in owner.told] == ["streamed", "streamed", "answered"]
    assert owner.told[1:] == [("streamed", b"y"), ("answered", b"z")]


@pytest.mark.parametrize("attribute", ["has_error", "is_stale"])
def test_what_may_be_asked_elsewhere_is_looked_at_first(attribute: str) -> None:
    owner = Noting()
    run = client_run(owner)
    setattr(run, attribute, True)
    run.partial(b"x" * (STREAM + 1))  # not passed on before that
    run.finish(b"")
    assert [event for event, _ in owner.told] == ["inspect"]


def test_a_lost_upstream_is_the_owners_to_judge() -> None:
    owner = Noting()
    client_run(owner).lost("reset", was_sent=True)
    assert owner.told == [("failed", ("reset", True))]


def test_questions_of_our_own_are_decoded_or_fail() -> None:
    told: list[object] = []
    for reply in (b"+a\r\n:1\r\n", b"+a\r\n?\r\n"):
        ask = Ask(b"", 2, told.append, told.append)
        ask.partial(reply[:3])
        ask.finish(reply[3:])
    Ask(b"", 1, told.append, told.append).lost("gone", was_sent=False)
    assert told == [[b"a", 1], "no reply begins with b'?'", "gone"]


def test_an_offset_counts_only_from_the_role_that_is_expected() -> None:
    told: list[int | None] = []
    master = b"*3\r\n$6\r\nmaster\r\n:7\r\n*0\r\n"
    slave = b"*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$9\r\nconnected\r\n:9\r\n"
    for wanted, reply in (
        (b"master", master),
        (b"slave", slave),
        (b"slave", master),
        (b"master", slave),
        (b"slave", slave.replace(b"$9\r\nconnected", b"$7\r\nconnect")),
        (b"slave", b"-LOADING\r\n"),
        (b"slave", b"?\r\n"),
    ):
        RoleRun(wanted, told.append).finish(reply)
    RoleRun(b"slave", told.append).lost("gone", was_sent=True)
    assert told == [7, 9, None, None, None, None, None, None]


def test_the_slow_log_keeps_name_and_key_but_no_value() -> None:
    log = SlowLog(0.1, 2)
    find = Table().command
    owner = Noting()
    for key in (b"a", b"b", b"secret-free"):
        data = packed(b"SET", key, b"secret")
        log.add(ClientRun(owner, data, 1, Route.WRITE, 0.0), "192.0.2.1:1", 0.5, find)
    assert [entry.command for entry in log.entries] == ["SET b", "SET secret-free"]
    assert log.entries[0].kind == "write"
    log.add(ClientRun(owner, packed(b"SET", b"k", b"v" * 100_000), 1, 0, 0.0), "n", 1.0, find)
    assert log.entries[-1].command == "SET k"
    assert log.entries[-1].kind == "other"
    assert SlowLog(0, 1).limit == float("inf")
    log.resize(0.5, 1)
    assert (len(log.entries), log.limit) == (1, 0.5)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["EVAL", "return 'secret'", "0"], "EVAL"),
        (["config", "set", "requirepass", "secret"], "config set"),
        (["OBJECT", "ENCODING", "key"], "OBJECT ENCODING key"),
        (["MIGRATE", "192.0.2.1", "6379", "key", "0", "5", "AUTH", "secret"], "MIGRATE key"),
        (["module.odd", "secret"], "module.odd"),
        (["PING"], "PING"),
        (["SET", "k" * 200, "v"], "SET " + "k" * 124),
        (["SET", "\x1b", "v"], "SET \x1b"),
    ],
)
def test_the_slow_log_shows_no_word_but_names_and_a_key(words: list[str], shown: str) -> None:
    log = SlowLog(0.1, 2)
    run = ClientRun(Noting(), packed(*(word.encode() for word in words)), 1, 0, 1.0)
    run.sent = 1.25
    slow = log.add(run, "n", 2.0, Table().command)
    assert slow.command == shown
    assert (slow.seconds, slow.queue, slow.wire) == (1.0, 0.25, 0.75)
    begun = packed(b"SET", b"key", b"v" * 3000)[:30]
    log.add(ClientRun(Noting(), begun, 1, 0, 0.0), "n", 1.0, Table().command)
    assert log.entries[-1].command == "SET key"


def test_addresses_and_listeners_have_names() -> None:
    assert str(Address("192.0.2.1", 1)) == "192.0.2.1:1"
    assert str(Address("2001:db8::1", 1)) == "[2001:db8::1]:1"
    assert str(Address("/run/a", 0)) == "unix:/run/a"
    assert Listener(bind=Address("192.0.2.1", 1)).label == "192.0.2.1:1"
    assert Listener(bind=Address("192.0.2.1", 1), name="a").label == "a"


def test_what_needs_a_closer_look_is_counted_together() -> None:
    owner = Noting()
    kinds = (0, Route.READ, Route.WRITE, Route.LOOK, Route.SLOW, Route.SCRIPT)
    seen = [class_of(ClientRun(owner, b"", 1, kind, 0.0)) for kind in kinds]
    assert seen == [0, Route.READ, Route.WRITE, Route.LOOK, 0, 0]


def test_what_somebody_else_answers_is_dropped() -> None:
    run = Unheard(packed(b"GET", b"k"), 1)
    run.partial(b"$1\r\n")
    run.finish(b"v\r\n")
    run.lost("closed", was_sent=True)
    assert run.parts == []
