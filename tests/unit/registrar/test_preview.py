import json
from dataclasses import replace

from registrar.mapping import instances_of
from registrar.preview import as_json, as_text
from sidecar.catalog.model import InstanceId, Key
from tests.support.docker import PLACE, container

BOX = instances_of(
    container(
        published={"80/tcp": ":8080"},
        env=("SERVICE_NAME=web", "SERVICE_TAGS=a", "SERVICE_A=1", "SERVICE_CHECK_TTL=5s",
             "SERVICE_B.C=x"),
        Paused=True,
    ),
    PLACE,
)  # fmt: skip


def test_the_text_has_a_block_per_store() -> None:
    assert as_text({"etcd://e": BOX.instances, "consul:": ()}, BOX.problems).splitlines() == [
        "etcd://e: 1 instance",
        "  web vm:box:80 192.0.2.7:8080",
        '    tags: ["a"]',
        '    meta: "a" = "1"',
        '    meta: "b_c" = "x"',
        '    meta: "check_ttl" = "5s"',
        '    check: service:vm:box:80 critical {"TTL": "5s"}',
        "    check: service:vm:box:80:docker critical docker",
        "consul:: 0 instances",
        "box: SERVICE_B.C: meta key changed to 'b_c'",
    ]


def test_the_json_has_the_definitions_of_checks_as_objects() -> None:
    told = json.loads(as_json({"etcd://e": BOX.instances}, BOX.problems))
    (web,) = told["stores"]["etcd://e"]
    assert (web["id"], web["tags"], web["port"]) == ("vm:box:80", ["a"], 8080)
    assert [check["definition"] for check in web["checks"]] == [{"TTL": "5s"}, None]
    assert told["problems"][0]["label"] == "SERVICE_B.C"
    assert "tagged" not in web


def test_what_would_be_removed_is_told_too() -> None:
    gone = {"etcd://e": (Key("web", "vm", InstanceId("vm:old:80")),)}
    assert as_text({"etcd://e": ()}, (), gone).splitlines() == [
        "etcd://e: 0 instances, 1 removed",
        "  removed: web vm:old:80",
    ]
    told = json.loads(as_json({"etcd://e": ()}, (), gone))
    assert told["removed"] == {"etcd://e": [{"service": "web", "id": "vm:old:80"}]}


def test_two_families_are_shown_with_their_names() -> None:
    box = replace(BOX.instances[0], address="fd00::2", tagged={"lan_ipv6": ("fd00::2", 80)})
    text = as_text({"consul:": (box,)})
    assert "web vm:box:80 [fd00::2]:8080" in text
    assert "    address: lan_ipv6 = fd00::2 80" in text
    told = json.loads(as_json({"consul:": (box,)}))
    assert told["stores"]["consul:"][0]["tagged"] == {"lan_ipv6": ["fd00::2", 80]}
    assert as_text({}) == ""
    bare = replace(box, tags=())
    assert "tags:" not in as_text({"consul:": (bare,)})
