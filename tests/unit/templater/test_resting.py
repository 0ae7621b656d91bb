"""Endpoints that drain and have nothing left to do."""

from templater.haproxy.resting import rested, still
from templater.routes import Key, State
from tests.unit.templater.haproxy_models import WEB, endpoint, routes_to

QUIET = frozenset({("web", Key("n1", "a")), ("web", Key("n1", "b")), ("gone", Key("n1", "c"))})


def test_only_who_drains_still_stays_known() -> None:
    routes = routes_to(endpoint("a", state=State.DRAIN), endpoint("b"))
    assert still(routes, QUIET) == {("web", Key("n1", "a"))}


def test_a_quiet_one_is_shut_and_the_others_are_left_as_they_are() -> None:
    members = endpoint("a", state=State.DRAIN), endpoint("b"), endpoint("c", state=State.DRAIN)
    routes = routes_to(*members)
    found = rested(routes, QUIET).upstreams[WEB]
    assert [one.state for one in found] == [State.MAINT, State.READY, State.DRAIN]
    assert found[1] is members[1]
    other = frozenset({("other", Key("n1", "a"))})
    assert rested(routes, other).upstreams[WEB] is routes.upstreams[WEB]
