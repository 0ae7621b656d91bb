"""The structure of a HAProxy that runs already."""

from templater.haproxy import slots
from templater.haproxy.adopt import adopted, runs
from templater.haproxy.model import NO_ROUTE, BackendName, name_of
from templater.names import Port
from templater.routes import Protocol, Upstream
from tests.unit.templater.haproxy_models import WEB, endpoint, routes_to

RUNNING = [(f"http.{name}", f"s{n}") for name in ("web", "old") for n in range(1, 9)]
TCP = Upstream(Protocol.TCP, "db")


def test_slots_are_taken_as_many_as_run_and_others_backends_are_left_out() -> None:
    model = adopted(routes_to(endpoint("a")), RUNNING, ["http", "tcp_x"])
    assert {name: len(backend.slots) for name, backend in model.backends.items()} == {
        name_of(WEB): 8
    }
    assert slots.why_reload(model, routes_to(endpoint("a"))) is None
    assert slots.why_reload(model, routes_to(*(endpoint(str(n)) for n in range(9)))) is not None


def test_a_listener_that_is_not_wanted_or_leads_nowhere_is_a_difference() -> None:
    routes = routes_to(endpoint("a"), upstream=TCP, ports=(5432,))
    there = [("tcp.db", "s1")]
    assert adopted(routes, there, ["tcp_5432"]).listeners == {Port(5432): name_of(TCP)}
    assert slots.why_reload(adopted(routes, there, ["tcp_5432"]), routes) is None
    more = adopted(routes, there, ["tcp_5432", "tcp_99"])
    assert more.listeners[Port(99)] == NO_ROUTE
    assert slots.why_reload(more, routes) == "other listeners"
    assert adopted(routes, [], ["tcp_5432"]).listeners == {Port(5432): NO_ROUTE}


def test_a_structure_runs_when_all_its_slots_and_listeners_do() -> None:
    model = slots.grown(adopted(routes_to(), [], []), routes_to(endpoint("a"), ports=(80,)))
    name = BackendName(WEB)
    every = [(str(name), f"s{n}") for n in range(1, 5)]
    assert runs(model, every, ["http", "tcp_80"])
    assert not runs(model, every[:3], ["tcp_80"])
    assert not runs(model, every, ["http"])
    assert not runs(model, every, ["tcp_80", "tcp_81"])
