"""Health with hysteresis, balance, values of a configuration, and who is on this host."""

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import pytest

from ambassador.frame import fields
from ambassador.frame.address import Address
from ambassador.frame.balance import POLICIES, Chooser
from ambassador.frame.dialing import is_within_host
from ambassador.frame.health import Health, State

if TYPE_CHECKING:
    import asyncio


def test_three_failures_are_down_and_two_successes_up() -> None:
    health = Health()
    assert health.state is State.UNKNOWN
    seen = []
    for step in [
        "succeed",
        "fail",
        "fail",
        "fail",
        "succeed",
        "succeed",
        "suspect",
        "succeed",
        "succeed",
    ]:
        getattr(health, step)()
        seen.append(str(health.state))
    words = "up suspect suspect down down up suspect suspect up"
    assert seen == words.split()
    assert health.is_up


def test_the_first_failure_of_an_unknown_is_down() -> None:
    health = Health()
    health.fail()
    assert health.state is State.DOWN
    health.suspect()
    assert health.state is State.DOWN


@dataclass
class One:
    name: str
    weight: float = 1.0
    zone: str = ""
    clients: int = 0
    outstanding: int = 0
    latency: float = 0.001


def test_each_policy_chooses_as_it_says() -> None:
    a, b, c = One("a", clients=3, zone="here"), One("b", outstanding=5), One("c", 3.0, clients=5)
    a.outstanding = 1
    three = [a, b, c]

    def chosen(policy: str, *draws: float) -> str:
        drawn = itertools.chain(draws, itertools.repeat(0.0))
        return Chooser(policy, lambda: next(drawn), "here").choose(three).name

    assert chosen("sticky") == "b"
    assert chosen("least_outstanding") == "c"
    assert chosen("zone_first") == "a"
    assert chosen("weighted", 0.1) == "a"
    assert chosen("weighted", 0.99) == "c"
    assert chosen("p2c", 0.0, 0.0) == "a"
    turns = Chooser("round_robin", lambda: 0.0)
    assert sorted(turns.choose(three).name for _ in range(3)) == ["a", "b", "c"]
    for policy in POLICIES:
        assert Chooser(policy, lambda: 0.0).choose([b]) is b


def test_weights_that_add_up_to_a_rounding_error_choose_the_last() -> None:
    three = [One("a", 0.1), One("b", 0.1)]
    assert Chooser("weighted", lambda: 1.0).choose(three).name == "b"


def test_values_are_checked() -> None:
    assert fields.size("64MiB") == 64 << 20
    assert fields.size(10) == 10
    assert fields.seconds("300ms") == 0.3
    assert fields.flag("yes") is True
    assert fields.flag(False) is False
    assert fields.names("config get, debug") == {"config", "get", "debug"}
    assert fields.names(["config get", "Debug"]) == {"config|get", "debug"}
    assert fields.address("192.0.2.1:1") == Address("192.0.2.1", 1)
    assert fields.listen_address("unix:/run/a.sock") == Address("/run/a.sock", 0)
    for check, wrong in (
        (fields.size, "a lot"),
        (fields.integer, "-1"),
        (fields.flag, "maybe"),
        (fields.text, ["a"]),
        (fields.address, ":6379"),
        (fields.listen_address, "unix:relative"),
        (fields.choice("a"), "b"),
    ):
        with pytest.raises(ValueError, match=r"."):
            check(wrong)


def test_unknown_keys_are_told_with_the_near_one() -> None:
    problems: list[str] = []
    table = {"probe": ("probe", fields.seconds)}
    assert fields.read({"prob": "1s"}, table, fields.Place("upstream"), problems) == {}
    assert problems == ["upstream: prob: there is no such key; did you mean probe?"]
    fields.read([], table, fields.Place("upstream"), problems)
    assert problems[1:] == ["upstream: keys and values are expected here"]


class _Names:
    """A transport that tells its names, or cannot any more."""

    def __init__(self, own: object, peer: object) -> None:
        self._names = {"sockname": own, "peername": peer}

    def get_extra_info(self, name: str) -> object:
        found = self._names[name]
        if isinstance(found, OSError):
            raise found
        return found


@pytest.mark.parametrize(
    ("own", "peer", "is_within"),
    [
        (("127.0.0.1", 40000), ("127.0.0.1", 6379), True),
        (("::1", 40000, 0, 0), ("::1", 6379, 0, 0), True),
        (("10.0.0.1", 40000), ("10.0.0.2", 6379), False),
        ("", "/run/redis.sock", True),
        (("10.0.0.1", 40000), None, False),
        (("10.0.0.1", 40000), OSError("not connected"), False),
        (None, None, False),
    ],
)
def test_a_connection_is_within_the_host_if_both_ends_have_its_address(
    own: object, peer: object, is_within: bool
) -> None:
    names = cast("asyncio.BaseTransport", _Names(own, peer))
    assert is_within_host(names) is is_within
