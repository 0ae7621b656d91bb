"""What labels of the load balancer mean, and what is said of those that mean nothing."""

from typing import Any

import pytest

from sidecar.catalog.changes import Put, apply
from sidecar.catalog.model import (
    BACKUP,
    CANARY,
    CANARY_MATCH,
    CHECK,
    CHECK_FALL,
    CHECK_INTERVAL,
    CHECK_RISE,
    EMPTY,
    HTTP_BALANCE,
    HTTP_HOST,
    HTTP_PROTO,
    RETRIES,
    STICKY,
    TCP_LISTEN,
    TIMEOUT_ANSWER,
    TIMEOUT_CONNECT,
    TIMEOUT_TUNNEL,
    Instance,
    InstanceId,
    Status,
)
from templater.names import CookieName, Count, Host, Millis, UrlPath
from templater.routes import Protocol, Routes, routes_of
from templater.shapes import Balance, Check, Shape, Timeouts


def instance(id_: str = "a", meta: dict[str, str] | None = None, **fields: Any) -> Instance:
    values: dict[str, Any] = {"node": "n1", "address": "192.0.2.1", "port": 80, **fields}
    return Instance(id=InstanceId(id_), service="web", meta=meta or {}, **values)


def routes(*instances: Instance) -> Routes:
    return routes_of(apply(EMPTY, [Put(one) for one in instances]), ())


def shape(**meta: str) -> tuple[Shape, list[tuple[str, str]]]:
    found = routes(instance(meta=meta))
    (upstream,) = found.upstreams
    return upstream.shape, [(one.field, one.reason) for one in found.problems]


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({STICKY: "cookie"}, Shape(cookie=CookieName("pinnace"))),
        ({STICKY: "cookie:SEAT"}, Shape(cookie=CookieName("SEAT"))),
        ({STICKY: "source", HTTP_BALANCE: "random"}, Shape(balance=Balance.SOURCE)),
        (
            {TIMEOUT_CONNECT: "250ms", TIMEOUT_ANSWER: "1m30s", TIMEOUT_TUNNEL: "2h"},
            Shape(timeouts=Timeouts(Millis(250), Millis(90_000), Millis(7_200_000))),
        ),
        ({RETRIES: "0"}, Shape(retries=Count(0))),
        ({CHECK: "tcp"}, Shape(check=Check())),
        (
            {CHECK: "/up/", CHECK_INTERVAL: "5s", CHECK_FALL: "2", CHECK_RISE: "1"},
            Shape(check=Check(UrlPath("/up"), Millis(5000), Count(2), Count(1))),
        ),
        ({CHECK: "/"}, Shape(check=Check(UrlPath("/")))),
    ],
)
def test_a_label_is_a_part_of_the_shape(meta: dict[str, str], expected: Shape) -> None:
    assert shape(**meta) == (expected, [])
    assert (expected.mark != "") is (expected != Shape())


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (STICKY, "cookie:a-b"),
        (STICKY, "always"),
        (TIMEOUT_CONNECT, "0s"),
        (TIMEOUT_ANSWER, "25h"),
        (TIMEOUT_TUNNEL, "soon"),
        (RETRIES, "21"),
        (RETRIES, "٣"),
        (CHECK, "http://x/"),
    ],
)
def test_a_label_that_means_nothing_is_told_and_changes_nothing(key: str, text: str) -> None:
    found, problems = shape(**{key: text})
    assert found == Shape()
    assert [field for field, _ in problems] == [key]
    assert "is not known here" in problems[0][1]


@pytest.mark.parametrize("key", [CHECK_FALL, CHECK_RISE])
def test_a_check_needs_one_failure_and_one_answer_at_least(key: str) -> None:
    found, problems = shape(**{CHECK: "tcp", key: "0"})
    assert found == Shape(check=Check())
    assert [field for field, _ in problems] == [key]


def test_how_to_check_without_a_check_is_told() -> None:
    found, problems = shape(**{CHECK_INTERVAL: "1s"})
    assert found == Shape()
    assert problems == [(CHECK_INTERVAL, f"there is no {CHECK} that it could belong to")]


def test_grpc_is_not_asked_for_a_path() -> None:
    found, problems = shape(**{CHECK: "/up", HTTP_PROTO: "grpc"})
    assert found.check == Check()
    assert [field for field, _ in problems] == [CHECK]


def test_of_instances_that_differ_the_first_text_holds() -> None:
    found = routes(instance("a", {RETRIES: "2"}), instance("b", {RETRIES: "1"}))
    (upstream,) = found.upstreams
    assert upstream.shape.retries == 1
    assert [one.reason for one in found.problems] == ["'2' differs from '1' of other instances"]


def test_the_same_said_in_two_ways_is_the_same() -> None:
    found = routes(instance("a", {TIMEOUT_ANSWER: "2s"}), instance("b", {TIMEOUT_ANSWER: "2000ms"}))
    assert found.problems == ()


def test_a_tcp_listener_has_what_means_something_there() -> None:
    meta = {
        TCP_LISTEN: "5432", CHECK: "/up", STICKY: "source", TIMEOUT_TUNNEL: "1s", RETRIES: "1",
    }  # fmt: skip
    found = routes(instance(meta=meta))
    (upstream,) = (one for one in found.upstreams if one.protocol is Protocol.TCP)
    assert upstream.shape == Shape(
        balance=Balance.SOURCE, timeouts=Timeouts(tunnel=Millis(1000)), check=Check()
    )


@pytest.mark.parametrize(("text", "backup"), [("true", True), ("false", False), ("", False)])
def test_an_instance_may_be_a_backup(text: str, backup: bool) -> None:
    ((one,),) = routes(instance(meta={BACKUP: text})).upstreams.values()
    assert one.backup is backup


@pytest.mark.parametrize(("key", "text"), [(BACKUP, "yes"), (CANARY, "many"), (CANARY_MATCH, "x")])
def test_an_instances_label_that_means_nothing_is_told(key: str, text: str) -> None:
    found = routes(instance(meta={key: text}))
    ((one,),) = found.upstreams.values()
    assert (one.backup, one.weight) == (False, 1)
    assert [problem.field for problem in found.problems] == [key]


def test_canaries_share_what_those_get_that_take_new_work() -> None:
    def weights(**stable: Any) -> list[int]:
        found = routes(
            instance("a", **stable), instance("b"), instance("c", {CANARY: "20"}),
            instance("d", {BACKUP: "true"}),
        )  # fmt: skip
        ((*members, _),) = found.upstreams.values()
        return [int(one.weight) for one in members]

    assert weights() == [2, 2, 1]
    assert weights(status=Status.CRITICAL)[1:] == [4, 1]
    assert weights(draining=True)[1:] == [4, 1]
    assert weights(weight=3) == [3, 1, 1]


def test_requests_that_match_have_an_upstream_of_canaries_alone() -> None:
    match = "header:X-Canary=1,cookie:beta=yes"
    found = routes(
        instance("a", weight=3),
        instance("b", {CANARY: "0", CANARY_MATCH: match}, weight=2),
        instance("c", {CANARY_MATCH: match}, draining=True),
    )
    (whole, chosen), members = found.upstreams, [*found.upstreams.values()]
    assert (chosen.of_all, whole.of_all, chosen.service) == (whole, whole, "web")
    assert tuple(map(str, chosen.shape.match)) == ("header:X-Canary=1", "cookie:beta=yes")
    assert str(chosen.shape) == " with header:X-Canary=1 with cookie:beta=yes"
    assert [(one.key.id, one.weight) for one in members[0]] == [("a", 3), ("b", 0), ("c", 1)]
    assert [(one.key.id, one.weight) for one in members[1]] == [("b", 2), ("c", 1)]
    assert chosen not in {*found.hosts.values(), *found.listeners.values()}


def test_places_of_their_own_have_canaries_of_their_own() -> None:
    place = {HTTP_HOST: "a.example.org"}
    found = routes(
        instance("a", {**place, TCP_LISTEN: "5432"}), instance("b"),
        instance("c", {**place, CANARY_MATCH: "header:X=1"}),
    )  # fmt: skip
    of_group = found.hosts[Host("a.example.org")]
    whole = found.hosts[Host("web.localhost")]
    canaries = {one.of_all: members for one, members in found.upstreams.items() if one.shape.match}
    assert {key: [one.key.id for one in members] for key, members in canaries.items()} == {
        of_group: ["c"], whole: ["c"],
    }  # fmt: skip


def test_canaries_that_differ_get_the_smallest_share_and_are_told() -> None:
    found = routes(
        instance("a"), instance("b", {CANARY: "50"}), instance("c", {CANARY: "20"})
    )  # fmt: skip
    ((one, two, three),) = found.upstreams.values()
    assert (one.weight, two.weight, three.weight) == (8, 1, 1)
    assert [problem.field for problem in found.problems] == [CANARY]


def test_a_shape_tells_people_all_of_it() -> None:
    whole = Shape(
        cookie=CookieName("SEAT"), timeouts=Timeouts(Millis(1), None, Millis(2)),
        check=Check(UrlPath("/up")), retries=Count(0),
    )  # fmt: skip
    assert str(whole) == " cookie:SEAT connect=1ms tunnel=2ms check:/up/ retries=0"
    assert str(Shape(check=Check())) == " check"
