import signal
from typing import Any

import pytest

from sidecar.engine.facts import (
    Binding,
    Event,
    Network,
    Port,
    container_of,
    event_of,
    is_container_reference,
    signal_number,
)
from sidecar.errors import ProtocolError
from tests.support.docker import document


def test_a_whole_document_becomes_facts() -> None:
    box = document(
        "box",
        published={"80/tcp": "0.0.0.0:8080", "53/udp": ":5353"},
        exposed=("99/tcp",),
        env=("A=1",),
        labels={"x": "y"},
        Paused=True,
        Pid=7,
        Health={"Status": "healthy"},
    )
    box["Config"]["StopSignal"] = "SIGUSR1"
    box["NetworkSettings"]["IPAddress"] = "172.17.0.2"
    box["NetworkSettings"]["Networks"]["bridge"]["GlobalIPv6Address"] = "fd00::2"
    facts = container_of(box)
    assert (facts.id, facts.name, facts.image) == ("box-id", "box", "example.org/ns/bb:1.2")
    assert (facts.alive, facts.paused, facts.pid, facts.health) == (True, True, 7, "healthy")
    assert facts.started == 1_700_000_000_000_000_000
    assert facts.stop_signal == signal.SIGUSR1
    assert (facts.env, facts.labels) == (("A=1",), {"x": "y"})
    assert facts.exposed == (Port(53, "udp"), Port(80), Port(99))
    assert facts.bindings == {
        Port(80): (Binding("0.0.0.0", 8080),),
        Port(53, "udp"): (Binding("", 5353),),
        Port(99): (),
    }
    assert facts.networks == {"bridge": Network("172.17.0.2", "fd00::2")}
    assert facts.address == "172.17.0.2"
    assert facts.peer is None


@pytest.mark.parametrize(
    "state",
    [{"Running": False}, {"Restarting": True}, {"Dead": True}, {"Running": "yes"}],
    ids=str,
)
def test_a_container_without_a_process_is_not_alive(state: dict[str, Any]) -> None:
    assert not container_of(document(**state)).alive


@pytest.mark.parametrize("odd", [None, [], "", {"Id": ""}, {"Id": 1}, {"Id": "../x"}, 7], ids=repr)
def test_a_document_without_a_usable_id_is_refused(odd: object) -> None:
    with pytest.raises(ProtocolError, match="no usable id"):
        container_of(odd)


def test_odd_fields_become_empty_ones() -> None:
    facts = container_of(
        {
            "Id": "x",
            "Name": 3,
            "State": [],
            "Config": {"Env": [1, "A=b"], "Labels": {"a": 1}, "ExposedPorts": {"70000/tcp": {}}},
            "NetworkSettings": {"Ports": {"80": "no", "x/tcp": [], "81/tcp": [{}, None]}},
        }
    )
    assert (facts.name, facts.env, facts.labels, facts.exposed) == ("", ("A=b",), {}, ())
    assert facts.bindings == {Port(80): (), Port(81): ()}
    assert facts.started == 0


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("2023-11-14T22:13:20.000000007Z", 1_700_000_000_000_000_007),
        ("2023-11-14T23:13:20.5+01:00", 1_700_000_000_500_000_000),
        ("0001-01-01T00:00:00Z", 0),
        ("2023-13-14T22:13:20Z", 0),
        ("soon", 0),
    ],
)
def test_start_times_keep_their_nanoseconds(text: str, nanoseconds: int) -> None:
    assert container_of(document(StartedAt=text)).started == nanoseconds


@pytest.mark.parametrize(
    ("mode", "peer"),
    [("container:abc", "abc"), ("container:../x", None), ("container", None), ("bridge", None)],
)
def test_the_peer_is_the_container_whose_network_is_shared(mode: str, peer: str | None) -> None:
    assert container_of(document(mode=mode)).peer == peer


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("15", 15), ("TERM", 15), ("SIGTERM", 15), ("sigquit", 3), ("SIGRTMIN+3", 37),
        ("", None), ("0", None), ("65", None), ("999", None), ("1000", None), ("SIGRTMIN+x", None),
        ("SIGRTMIN+99", None), ("WHAT", None), ("-1", None), ("²", None),
    ],
)  # fmt: skip
def test_signals_are_read_by_number_and_name(text: str, number: int | None) -> None:
    assert signal_number(text) == number


def test_a_container_event_names_action_time_and_signal() -> None:
    event = {
        "Type": "container",
        "Action": "kill",
        "Actor": {"ID": "abc", "Attributes": {"signal": "15"}},
        "timeNano": 5,
    }
    assert event_of(event) == Event(id="abc", action="kill", time_nano=5, signal=15)
    event["Action"] = "health_status: healthy"
    assert event_of(event) == Event(id="abc", action="health_status", time_nano=5)


def test_a_network_event_is_about_its_container() -> None:
    actor = {"ID": "net", "Attributes": {"container": "abc"}}
    assert event_of({"Type": "network", "Action": "connect", "Actor": actor}) == Event(
        id="abc", action="connect"
    )
    assert event_of({"Type": "network", "Action": "create", "Actor": actor}) is None


@pytest.mark.parametrize("odd", [None, 3, {}, {"Type": "image", "Action": "tag"}], ids=repr)
def test_events_about_something_else_are_none(odd: object) -> None:
    assert event_of(odd) is None


def test_an_event_without_a_usable_id_is_refused() -> None:
    with pytest.raises(ProtocolError, match="no usable container id"):
        event_of({"Type": "container", "Action": "die", "timeNano": True})


@pytest.mark.parametrize(
    ("text", "is_one"), [("a", True), ("a_b.c-1", True), ("", False), ("a/b", False), ("ä", False)]
)
def test_references_hold_nothing_that_changes_a_path(text: str, is_one: bool) -> None:
    assert is_container_reference(text) is is_one


@pytest.mark.parametrize(
    ("text", "exit_code"), [("0", 0), ("137", 137), ("", None), ("-1", None), ("1e3", None)]
)
def test_a_death_tells_its_status(text: str, exit_code: int | None) -> None:
    actor = {"ID": "abc", "Attributes": {"exitCode": text}}
    found = event_of({"Type": "container", "Action": "die", "Actor": actor})
    assert found is not None
    assert found.exit_code == exit_code
