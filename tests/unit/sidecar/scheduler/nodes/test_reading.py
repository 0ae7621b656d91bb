"""What an engine's documents say of its host and of each container."""

from typing import Any

import pytest

from sidecar.scheduler.cluster import Health, Stage
from sidecar.scheduler.model import NANO, Port, Resources
from sidecar.scheduler.nodes.node import NodeSettings
from sidecar.scheduler.nodes.reading import images_of, node_of, seen_of, wall_of

OURS = {
    "pinnace.stack": "shop", "pinnace.service": "web", "pinnace.slot": "2", "pinnace.spec": "abc",
    "pinnace.incarnation": "3", "pinnace.epoch": "7",
}  # fmt: skip


def document(**more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Id": "c1", "Name": "/shop_web_2", "Image": "sha256:i",
        "Created": "2023-11-14T22:13:20.5Z",
        "Config": {"Image": "web", "Labels": OURS, "ExposedPorts": {"80/tcp": {}}},
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}},
        "NetworkSettings": {"Ports": {}},
        "State": {"Status": "exited", "ExitCode": 3, "FinishedAt": "2023-11-14T22:13:21Z"},
    }  # fmt: skip
    for key, value in more.items():
        found[key] = {**found.get(key, {}), **value} if isinstance(value, dict) else value
    return found


def test_a_container_of_ours_is_a_copy() -> None:
    seen = seen_of(document(), "n1")
    copy = seen.copy
    assert copy is not None
    assert (seen.service, copy.name, copy.id, copy.node) == (
        "shop/web", "shop_web_2", "c1", "n1",
    )  # fmt: skip
    assert (copy.slot, copy.spec, copy.incarnation, copy.epoch) == ("2", "abc", 3, 7)
    assert (copy.stage, copy.exit_code, seen.moment) == (Stage.EXITED, 3, 1_700_000_001.0)
    assert seen.view.ports == (Port(8080),)
    assert seen.ran is None
    ended = seen_of(document(State={"StartedAt": "2023-11-14T22:13:20.75Z"}), "n1")
    assert ended.ran == pytest.approx(0.25)


def test_a_running_copy_has_its_health_its_start_and_its_ports() -> None:
    state = {
        "Status": "running", "StartedAt": "2023-11-14T22:13:22Z", "Health": {"Status": "healthy"},
    }  # fmt: skip
    ports = {"Ports": {"80/tcp": [{"HostIp": "192.0.2.1", "HostPort": "32768"}], "81/tcp": None}}
    seen = seen_of(document(State=state, NetworkSettings=ports), "n1")
    assert seen.copy is not None
    assert (seen.copy.stage, seen.copy.health) == (Stage.RUNNING, Health.HEALTHY)
    assert (seen.moment, seen.ran) == (1_700_000_002.0, 0.0)
    assert seen.view.ports == (Port(32768, "tcp", "192.0.2.1"),)


@pytest.mark.parametrize(
    ("state", "stage"),
    [
        ({"Status": "created", "ExitCode": 0}, Stage.CREATED),
        ({"Status": "created", "ExitCode": 128}, Stage.EXITED),
        ({"Status": "created", "ExitCode": 0, "Error": "port is taken"}, Stage.EXITED),
        ({"Status": "paused"}, Stage.RUNNING),
        ({"Status": "dead"}, Stage.EXITED),
        ({"Status": "removing"}, Stage.EXITED),
    ],
)
def test_stages(state: dict[str, Any], stage: Stage) -> None:
    found = document()
    found["State"] = state
    copy = seen_of(found, "n1").copy
    assert copy is not None
    assert copy.stage is stage


def test_what_its_engine_starts_again_is_not_ready_until_it_runs() -> None:
    found = seen_of(document(State={"Status": "restarting", "StartedAt": ""}), "n1")
    assert found.copy is not None
    assert (found.copy.stage, found.copy.health) == (Stage.RUNNING, Health.STARTING)


def test_an_unknown_word_about_health_is_none() -> None:
    copy = seen_of(document(State={"Health": {"Status": "odd"}}), "n1").copy
    assert copy is not None
    assert copy.health is Health.NONE


def test_a_container_of_somebody_else_counts_only() -> None:
    config = {"Labels": {"pinnace.stack": "shop"}}
    host = {"Memory": 5, "MemoryReservation": 3, "CpuQuota": 50_000, "NetworkMode": "host"}
    seen = seen_of(document(Config=config, HostConfig=host), "n1")
    assert seen.copy is None
    assert seen.view.resources == Resources(NANO // 2, 3)
    assert (seen.view.host_network, seen.view.exposed) == (True, (Port(80),))


@pytest.mark.parametrize(
    ("label", "found"),
    [("5,6", Resources(5, 6)), ("5", Resources(7, 0)), ("x,y", Resources(7, 0))],
)
def test_what_a_place_was_chosen_by_is_in_a_label(label: str, found: Resources) -> None:
    config = {"Labels": {**OURS, "pinnace.reserved": label}}
    seen = seen_of(document(Config=config, HostConfig={"NanoCpus": 7}), "n1")
    assert seen.view.resources == found


def test_volumes_without_a_name_of_their_own_bind_nothing() -> None:
    mounts = [
        {"Type": "volume", "Name": "data"},
        {"Type": "volume", "Name": "f" * 64},
        {"Type": "bind", "Source": "/x"},
        "odd",
    ]
    assert seen_of(document(Mounts=mounts), "n1").view.volumes == ("data",)


def test_a_document_of_nothing_is_a_container_without_anything() -> None:
    seen = seen_of({"HostConfig": {"PortBindings": {"x/tcp": [{}], "80/tcp": [{}, 1]}}}, "n1")
    assert (seen.copy, seen.view.name, seen.view.ports) == (None, "", ())


def test_labels_of_a_node_are_the_engines_then_the_tags_then_ours() -> None:
    info = {
        "ID": "e", "Name": "vm", "NCPU": 4, "MemTotal": 1000, "Driver": "overlay2",
        "KernelVersion": "6", "OperatingSystem": "Debian", "OSType": "linux",
        "Architecture": "x86_64", "ServerVersion": "28", "Labels": ["disk=ssd", "zone=x", 5],
    }  # fmt: skip
    settings = NodeSettings(
        name="n1", endpoint="unix:///s", advertise="192.0.2.1", labels={"zone": "a"},
        reserve=Resources(NANO, 200), overcommit=(2.0, 1.5), is_leader_capable=False,
    )  # fmt: skip
    node = node_of(settings, info)
    assert (node.name, node.id, node.engine_name, node.address) == ("n1", "e", "vm", "192.0.2.1")
    assert node.labels == {
        "disk": "ssd", "zone": "a", "node": "n1", "storagedriver": "overlay2",
        "kernelversion": "6", "operatingsystem": "Debian", "ostype": "linux", "arch": "x86_64",
        "engineversion": "28",
    }  # fmt: skip
    assert node.engine_labels == {"disk": "ssd", "zone": "x"}
    assert node.capacity == Resources(6 * NANO, 1200)
    assert node_of(settings, {"NCPU": True, "Labels": 1}).capacity == Resources(0, 0)


def test_images_by_their_ids() -> None:
    listed: list[dict[str, Any]] = [
        {"Id": "a", "RepoTags": ["web:1", 5]},
        {"Id": "b", "RepoTags": None},
    ]
    assert images_of(listed) == {"a": ("web:1",), "b": ()}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2023-11-14T22:13:20Z", 1_700_000_000.0),
        ("2023-11-14T22:13:20.123456789Z", 1_700_000_000.123456789),
        ("2023-11-14T23:13:20.5+01:00", 1_700_000_000.5),
        ("0001-01-01T00:00:00Z", 0.0),
        ("", 0.0),
        ("yesterday", 0.0),
    ],
)
def test_an_engines_times(text: str, found: float) -> None:
    assert wall_of(text) == pytest.approx(found)
