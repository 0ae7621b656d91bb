"""What the engine is told of a new container, and what its labels say."""

import io
import re
import tarfile
from typing import Any

import pytest

from sidecar.scheduler.actions import Create
from sidecar.scheduler.creating import (
    Lacking,
    Mark,
    archive_of,
    body_of,
    endpoint_of,
    exec_of,
    name_of,
)
from sidecar.scheduler.model import ContainerView, NodeView, Placement, Request, Resources
from sidecar.scheduler.recipe import Build, Care, File, Hook, Joined, Recipe, packed, unpacked

MARK = Mark(
    stack="shop", service="web", slot="2", spec="abc", incarnation=3, nonce="beef", rev=4, epoch=5,
)  # fmt: skip
NOTHING = Resources()


def recipe(care: Care | None = None, **build: Any) -> Recipe:
    return Recipe(build=Build(image="web", **build), care=care or Care())


def held(name: str, service: str = "db", slot: str = "1", **more: Any) -> ContainerView:
    return ContainerView(
        name=name, id=f"id-{name}", stack="shop", service=service, slot=slot, **more
    )


def node(*containers: ContainerView) -> NodeView:
    return NodeView(name="n1", containers=containers)


def test_labels_say_all_that_must_be_known_after_a_crash() -> None:
    before = recipe(config={"Cmd": ["old"]})
    care = Care(role="canary", labels={"pinnace.mine": "y"})
    found = recipe(care, config={"Labels": {"mine": "x", "pinnace.slot": "forged"}})
    mark = Mark(
        stack="shop", service="web", slot="2", spec="abc", incarnation=3, nonce="beef", rev=4,
        epoch=5, previous=before, why="{}",
    )  # fmt: skip
    labels = body_of(found, mark, Resources(7, 8), node())["Labels"]
    assert unpacked(labels.pop("pinnace.recipe")) == found
    assert unpacked(labels.pop("pinnace.prev")) == before
    assert re.fullmatch("[0-9a-f]{64}", labels.pop("com.docker.swarm.id"))
    assert labels == {
        "pinnace.why": "{}", "pinnace.mine": "y", "pinnace.stack": "shop",
        "pinnace.service": "web", "pinnace.slot": "2",
        "pinnace.id": "shop/web/2/beef", "pinnace.spec": "abc", "pinnace.incarnation": "3",
        "pinnace.rev": "4", "pinnace.epoch": "5", "pinnace.role": "canary",
        "pinnace.reserved": "7,8", "mine": "x", "SERVICE_NAME": "web",
        "com.docker.compose.project": "shop", "com.docker.compose.service": "web",
        "com.docker.compose.container-number": "2", "com.docker.compose.oneoff": "False",
    }  # fmt: skip


@pytest.mark.parametrize(
    "config", [{"Env": ["SERVICE_NAME=own"]}, {"Labels": {"SERVICE_NAME": "own"}}]
)
def test_a_name_of_its_own_in_the_catalogue_stays(config: dict[str, object]) -> None:
    labels = body_of(recipe(config=config), MARK, NOTHING, node())["Labels"]
    assert labels.get("SERVICE_NAME") in {None, "own"}


def test_the_engine_does_not_start_it_again_unless_it_is_the_only_one() -> None:
    host = {"RestartPolicy": {"Name": "always"}, "Memory": 5}
    body = body_of(recipe(host=host), MARK, NOTHING, node())
    assert body["HostConfig"] == {"RestartPolicy": {"Name": "no"}, "Memory": 5}
    only = body_of(recipe(host=host), MARK, NOTHING, node(), is_only=True)
    assert only["HostConfig"] == host, "it is the only one, and may"
    only = body_of(recipe(), MARK, NOTHING, node(), is_only=True)
    assert only["HostConfig"]["RestartPolicy"] == {"Name": "no"}
    assert "NetworkingConfig" not in body


def test_it_is_made_in_its_first_network() -> None:
    networks = (Joined(name="a", aliases=("web",), address="192.0.2.7"), Joined(name="b"))
    body = body_of(recipe(networks=networks), MARK, NOTHING, node())
    assert body["HostConfig"]["NetworkMode"] == "a"
    assert body["NetworkingConfig"]["EndpointsConfig"] == {
        "a": {"Aliases": ["web"], "IPAMConfig": {"IPv4Address": "192.0.2.7"}}
    }


def test_an_endpoint_says_what_was_given_only() -> None:
    joined = Joined(
        name="a", address6="2001:db8::7", link_local=("169.254.1.1",), options={"k": "v"}
    )
    assert endpoint_of(joined, ["x:y"]) == {
        "IPAMConfig": {"IPv6Address": "2001:db8::7", "LinkLocalIPs": ["169.254.1.1"]},
        "DriverOpts": {"k": "v"},
        "Links": ["x:y"],
    }
    assert endpoint_of(Joined(name="a")) == {}


def test_what_it_shares_is_that_of_the_same_slot_on_this_node() -> None:
    there = node(held("db1"), held("db2", slot="2"), held("other", service="cache"))
    host = {"NetworkMode": "service:db", "IpcMode": "service:db", "PidMode": "host"}
    found = body_of(recipe(host=host), MARK, NOTHING, there)["HostConfig"]
    assert found["NetworkMode"] == found["IpcMode"] == "container:id-db2"
    assert found["PidMode"] == "host"


def test_without_the_slot_whose_network_it_shares_it_cannot_be_made() -> None:
    host = {"NetworkMode": "service:db"}
    with pytest.raises(Lacking, match="no container of db runs on n1"):
        body_of(recipe(host=host), MARK, NOTHING, node(held("db1")))


def test_volumes_come_from_the_newest_copy_that_runs() -> None:
    there = node(
        held("db1", labels={"pinnace.incarnation": "1"}),
        held("db1_2", labels={"pinnace.incarnation": "2"}),
        held("db1_3", labels={"pinnace.incarnation": "3"}, running=False),
    )
    host = {"VolumesFrom": ["db:ro", "db", "container:theirs:ro"]}
    found = body_of(recipe(host=host), MARK, NOTHING, there)["HostConfig"]["VolumesFrom"]
    assert found == ["id-db1_2:ro", "id-db1_2", "theirs:ro"]


def test_links_are_those_that_this_node_can_have() -> None:
    there = node(held("db1"), ContainerView(name="theirs"))
    links = ("db:database", "cache", "theirs:t", "theirs")
    host = body_of(recipe(links=links), MARK, NOTHING, there)["HostConfig"]
    assert host["Links"] == ["id-db1:database", "theirs:t", "theirs:theirs"]
    within = recipe(links=("db",), networks=(Joined(name="a"),))
    body = body_of(within, MARK, NOTHING, there)
    assert body["NetworkingConfig"]["EndpointsConfig"]["a"]["Links"] == ["id-db1:db"]


def test_a_name_carries_the_incarnation_while_another_has_it() -> None:
    request = Request(service="web", stack="shop", slot="2")
    create = Create("shop/web", "2", "abc", 3, Placement(request, "n1"))
    assert name_of(create, recipe(), node()) == "shop_web_2"
    assert name_of(create, recipe(), node(held("shop_web_2"))) == "shop_web_2_3"
    assert name_of(create, recipe(Care(name="me")), node()) == "me"


def test_files_are_an_archive_with_their_owners_and_modes() -> None:
    file = File(path="/run/x", digest="d", mode=0o440, uid=5, gid=6)
    found = archive_of(recipe(Care(contents={"d": b"hello"}), files=(file,)))
    with tarfile.open(fileobj=io.BytesIO(found)) as tar:
        (entry,) = tar.getmembers()
        assert (entry.name, entry.mode, entry.uid, entry.gid) == ("run/x", 0o440, 5, 6)
        content = tar.extractfile(entry)
        assert content is not None
        assert content.read() == b"hello"
    assert archive_of(recipe()) == b""


def test_a_secret_that_nobody_remembers_cannot_be_put_there() -> None:
    file = File(path="/run/x", digest="d", is_secret=True)
    whole = recipe(Care(secrets={"d": b"hush"}), files=(file,))
    assert b"hush" in archive_of(whole)
    told = unpacked(packed(whole))
    assert told is not None
    with pytest.raises(Lacking, match="nobody knows any more what /run/x held"):
        archive_of(told)


def test_a_recipe_that_is_too_long_for_a_label_stands_in_none() -> None:
    noise = "".join(str(n * 7919) for n in range(9000))
    assert packed(recipe(config={"Cmd": [noise]})) == ""
    assert unpacked("") is None
    assert unpacked("?") is None
    assert unpacked("aaaa") is None


def test_a_hook_is_an_exec_that_is_waited_for() -> None:
    hook = Hook(command=("a", "b"), user="u", folder="/", environment=("A=1",))
    assert exec_of(hook) == {
        "Cmd": ["a", "b"], "User": "u", "Privileged": False, "WorkingDir": "/", "Env": ["A=1"],
        "AttachStdout": True, "AttachStderr": True,
    }  # fmt: skip
