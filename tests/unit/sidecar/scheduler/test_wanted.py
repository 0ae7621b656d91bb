"""What people want, as keys."""

import msgspec

from sidecar.scheduler.bundle import Bundle
from sidecar.scheduler.model import Availability
from sidecar.scheduler.wanted import KEPT, Change, Stack, Wanted, deploy, move, say, wanted_of


def _bundle(text: str) -> Bundle:
    return Bundle(name="shop", main="/s.yaml", files={"/s.yaml": text.encode()})


class _Keys:
    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    def take(self, change: Change) -> Wanted:
        for key, value in change.items():
            if value is None:
                del self.held[key]
            else:
                self.held[key] = value
        return wanted_of(self.held.items())

    def deploy(self, text: str | None, name: str = "shop") -> Stack:
        stack = wanted_of(self.held.items()).stacks.get(name, Stack(name=name))
        bundle = None if text is None else _bundle(text)
        return self.take(deploy(stack, bundle, at=1.0)).stacks[name]

    def say(self, service: str, **what: object) -> Stack:
        stack = wanted_of(self.held.items()).stacks["shop"]
        return self.take(say(stack, service, **what)).stacks["shop"]


def test_revisions_count_up_and_the_last_ones_are_kept() -> None:
    keys = _Keys()
    stack = [keys.deploy(f"text {number}") for number in range(KEPT + 3)][-1]
    assert [each.number for each in stack.revisions] == [4, 5, 6, 7, 8]
    assert stack.newest.bundle == _bundle(f"text {KEPT + 2}")
    assert sorted(keys.held) == [f"pinnace/stacks/shop/rev/{number}" for number in range(4, 9)]


def test_the_same_again_is_no_revision() -> None:
    keys = _Keys()
    keys.deploy("text")
    assert keys.deploy("text").newest.number == 1
    assert keys.deploy(None).newest.bundle is None
    assert keys.deploy("text").newest.number == 3


def test_what_was_scaled_and_paused_stays_and_what_was_taken_back_does_not() -> None:
    keys = _Keys()
    keys.deploy("text")
    keys.say("web", replicas=7, is_paused=True)
    keys.say("db", pinned=1, stopped="abc")
    assert keys.say("db", pinned=1).overrides["db"].pinned == 1
    stack = keys.deploy("other")
    assert stack.override("web").replicas == 7
    assert stack.override("web").is_paused
    assert (stack.override("db").pinned, stack.override("db").stopped) == (0, "")
    assert stack.override("db").attempt == 1
    assert stack.override("nothing").replicas is None


def test_a_service_follows_the_revision_it_was_taken_back_to_while_that_is_kept() -> None:
    keys = _Keys()
    keys.deploy("one")
    keys.deploy("two")
    assert keys.say("web", pinned=1).revision_of("web").number == 1
    assert keys.say("web", pinned=77).revision_of("web").number == 2


def test_names_of_any_kind_are_kept_apart() -> None:
    keys = _Keys()
    keys.deploy("text", "a/rev")
    keys.deploy("text", "é %2F")
    found = wanted_of(keys.held.items())
    assert found.stacks.keys() == {"a/rev", "é %2F"}
    assert found.unreadable == ()


def test_nodes_are_moved_and_used_again() -> None:
    keys = _Keys()
    assert keys.take(move("n/1", Availability.DRAIN)).availability == {"n/1": "drain"}
    assert keys.take(move("n/1", Availability.ACTIVE)).availability == {}


def test_what_cannot_be_read_is_left_out_and_told() -> None:
    held = {
        "pinnace/stacks/shop/rev/1": b"{",
        "pinnace/stacks/shop/rev/2": b'{"number": "x"}',
        "pinnace/stacks/shop/service/web": b"[]",
        "pinnace/availability/n1": b"resting",
        "pinnace/stacks/odd": b"is nobody's",
        "pinnace/stacks/lone/service/web": msgspec.json.encode({}),
    }
    found = wanted_of(held.items())
    assert found.stacks == {}
    assert found.unreadable == tuple(held)[:4]
