"""What the scheduler tells registrars of containers, and what it is told."""

from typing import Any, cast

from sidecar.catalog.matching import Lot
from sidecar.fleet import Fleet
from sidecar.hosts import Host
from sidecar.runtime.clock import FakeClock
from sidecar.scheduler.nodes.node import NodeSettings


class _Registrar:
    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def relabel(self, id_: str, labels: Any) -> None:
        self.told.append((id_, labels))

    def share(self, id_: str, lot: Lot) -> None:
        self.told.append((id_, lot))

    def withdraw(self, id_: str) -> None:
        self.told.append((id_, "withdrawn"))


def _host() -> tuple[Host, _Registrar]:
    registrar, nobody = _Registrar(), cast("Any", None)
    settings = NodeSettings(name="n1", endpoint="tcp://192.0.2.1:1")
    return Host(settings, nobody, cast("Any", registrar), nobody, ()), registrar


def test_labels_are_told_when_they_are_others_and_taken_back_once() -> None:
    host, registrar = _host()
    fleet = Fleet({"n1": host}, FakeClock(), balancer=None)
    fleet.relabel("n1", "c1", None)
    assert registrar.told == []
    for labels in ({"a": "1"}, {"a": "1"}, {"a": "2"}, None, None):
        fleet.relabel("n1", "c1", labels)
    assert registrar.told == [("c1", {"a": "1"}), ("c1", {"a": "2"}), ("c1", None)]


def test_other_labels_have_the_load_balancer_asked_again() -> None:
    host, _ = _host()
    fleet = Fleet({"n1": host}, FakeClock(), balancer=cast("Any", object()))
    assert fleet.is_routed("n1", "c1") is False
    fleet._answer("n1", "c1", is_routed=True)
    fleet.relabel("n1", "c1", None)
    assert fleet.is_routed("n1", "c1") is True
    fleet.relabel("n1", "c1", {"pinnace.http.host": "example.org"})
    assert fleet.is_routed("n1", "c1") is False


def test_what_was_withdrawn_is_told_its_labels_anew() -> None:
    host, registrar = _host()
    fleet = Fleet({"n1": host}, FakeClock(), balancer=None)
    fleet.relabel("n1", "c1", {"a": "1"})
    fleet.withdraw("n1", "c1")
    fleet.relabel("n1", "c1", {"a": "1"})
    assert registrar.told == [("c1", {"a": "1"}), ("c1", "withdrawn"), ("c1", {"a": "1"})]


def test_the_registrar_of_a_host_that_is_reached_anew_is_told_all_again() -> None:
    host, _ = _host()
    hosts = {"n1": host}
    fleet = Fleet(hosts, FakeClock(), balancer=None)
    lot = Lot(5.0)
    fleet.relabel("n1", "c1", {"a": "1"})
    fleet.weigh("n1", "c2", lot)
    assert fleet.share("c2") == lot
    hosts["n1"], other = _host()
    assert fleet.share("c2") is None
    fleet.relabel("n1", "c1", {"a": "1"})
    fleet.weigh("n1", "c2", lot)
    assert other.told == [("c1", {"a": "1"}), ("c2", lot)]
    fleet.forget([])
    assert fleet.share("c2") is None
    del hosts["n1"]
    assert fleet.share("c9") is None
