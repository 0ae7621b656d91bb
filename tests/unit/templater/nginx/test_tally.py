"""What is known of nginx's work."""

from templater.names import SocketAddress
from templater.nginx.tally import Tally
from templater.routes import State
from templater.work import Work
from tests.unit.templater.haproxy_models import WEB, endpoint, routes_to

WORDS = (
    "Active connections: 3 \nserver accepts handled requests\n 5 5 {} \n"
    "Reading: 0 Writing: 1 Waiting: 2 \n"
)


def test_two_counts_tell_a_rate_and_a_start_anew_none() -> None:
    tally = Tally()
    seen = []
    for at, count in ((0.0, 100), (0.1, 101), (2.0, 140), (2.2, 500), (4.0, 240), (5.0, 20)):
        tally.take(WORDS.format(count), at)
        found = tally.counters("nginx 1.22.1", WORDS.format(count), at, routes=routes_to(),
                               connections=lambda _: 0)  # fmt: skip
        seen.append(found.rate)
    assert seen == [None, None, 20.0, 20.0, 50.0, None]


def test_every_endpoint_has_its_connections_and_nothing_else() -> None:
    members = endpoint("a", 81), endpoint("b", 82, state=State.DRAIN)
    found = Tally().counters(
        "nginx 1.22.1", WORDS.format(7), 1.0, routes=routes_to(*members),
        connections=lambda one: int(one.port),
    )  # fmt: skip
    assert (found.program, found.connections, found.requests) == ("nginx 1.22.1", 3, 7)
    assert {key[1].id: work.sessions for key, work in found.endpoints.items()} == {"a": 81, "b": 82}
    assert found.endpoints[WEB, members[0].key].requests is None
    assert "are not counted by endpoint" in found.lacks


def test_an_endpoint_has_done_what_the_log_of_requests_says() -> None:
    first, second = endpoint("a", 81), endpoint("b", 82)
    routes = routes_to(first, second)
    tally = Tally()
    tally.note(b"", 0.0)
    one, other = (f"{SocketAddress(m.address, m.port)}" for m in (first, second))
    tally.note(f"http.web;{one}, {other};502, 200;-, 0.250\n".encode() * 4, 1.0)
    found = tally.counters("nginx", "", 1.0, routes=routes, connections=lambda _: 1)
    assert found.endpoints[WEB, first.key] == Work(1, None, 4, 2, None, 4, 4)
    assert found.endpoints[WEB, second.key] == Work(1, None, 4, 2, 0.25, 0, 0)
    assert "counts when it is done" in found.lacks
    tally.keep(routes_to(second))
    found = tally.counters("nginx", "", 1.0, routes=routes, connections=lambda _: 1)
    assert [found.endpoints[WEB, m.key].requests for m in (first, second)] == [0, 4]
    tally.note(None, 2.0)
    tally.keep(routes)
    assert "shipped.http" in tally.counters("", "", 2.0, routes=routes, connections=id).lacks


def test_without_the_module_that_counts_there_are_connections_only() -> None:
    found = Tally().counters("nginx", "", 1.0, routes=routes_to(endpoint("a")), connections=id)
    assert (found.connections, found.requests, found.rate) == (None, None, None)
    assert len(found.endpoints) == 1
