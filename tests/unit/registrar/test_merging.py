from dataclasses import replace

from registrar.merging import holder, merged, merged_node
from registrar.plan import Claims, Refusal, changes_for, differing
from sidecar.catalog import Put, Status
from sidecar.catalog.model import Check, Node, key_of
from tests.support.catalog import instance

OWNER = "registrar:e"
DOCKER = Check(id="service:vm:a:80", name="Docker", status=Status.PASSING, type="docker")
TTL = Check(id="alive", name="alive", status=Status.WARNING, type="ttl", definition="{}")
MAINTENANCE = Check(id="_service_maintenance:vm:a:80", name="M", type="maintenance")
WANTED = instance("web", "vm:a:80", owner=OWNER, checks=(DOCKER,))
NODE = Node(name="node-1", address="192.0.2.1")


def test_checks_of_the_api_stay_and_the_worst_one_counts() -> None:
    sick = replace(DOCKER, status=Status.CRITICAL)
    held = replace(WANTED, checks=(sick, TTL), port=1)
    result = merged(WANTED, held, NODE)
    assert (result.port, result.checks) == (8080, (DOCKER, TTL))
    assert result.status is Status.WARNING
    assert merged(WANTED, None, NODE) == WANTED


def test_dockers_own_check_goes_when_docker_says_nothing_any_more() -> None:
    plain = replace(WANTED, checks=())
    assert merged(plain, replace(WANTED, checks=(DOCKER, TTL)), NODE).checks == (TTL,)


def test_a_check_that_a_label_defines_keeps_what_it_said() -> None:
    defined = replace(DOCKER, status=Status.CRITICAL, type="tcp", definition='{"TCP":"a"}')
    other = replace(defined, id=f"{defined.id}:docker", definition="")
    wanted = replace(WANTED, checks=(defined, other))
    said = replace(defined, status=Status.PASSING, output="ok")
    held = replace(wanted, checks=(said, replace(other, output="healthy"), TTL))
    assert merged(wanted, held, NODE).checks == (said, other, TTL)
    moved = replace(wanted, checks=(replace(defined, definition='{"TCP":"b"}'),))
    assert merged(moved, held, NODE).checks == (defined, TTL)


def test_maintenance_and_the_registrars_drain_do_not_undo_each_other() -> None:
    held = replace(WANTED, checks=(DOCKER, MAINTENANCE), draining=True)
    assert merged(WANTED, held, NODE).draining
    assert merged(replace(WANTED, draining=True), WANTED, NODE).draining
    assert not merged(WANTED, replace(WANTED, draining=True), NODE).draining
    assert merged(WANTED, held, NODE).status is Status.PASSING


def test_a_check_of_the_node_shows_in_the_status() -> None:
    node = replace(NODE, checks=(replace(TTL, status=Status.CRITICAL),))
    assert merged(WANTED, WANTED, node).status is Status.CRITICAL
    healthy = replace(WANTED, status=Status.CRITICAL)
    assert differing({key_of(WANTED): WANTED}, [healthy], node) == frozenset()
    assert differing({key_of(WANTED): WANTED}, [healthy], NODE) == {key_of(WANTED)}


def test_only_the_address_of_the_node_is_the_registrars() -> None:
    held = replace(NODE, address="192.0.2.9", checks=(TTL,), meta={"rack": "1"}, id="x")
    assert merged_node(NODE, held) == replace(held, address="192.0.2.1")
    assert merged_node(NODE, None) is NODE


def test_what_the_api_registered_is_neither_overwritten_nor_removed() -> None:
    claims, key = Claims(), key_of(WANTED)
    claims.put("c", [WANTED])
    foreign = instance("other", "vm:a:80", owner="api")
    assert changes_for({key: claims.winner(key)}, {WANTED.id: foreign}) == (
        (),
        (Refusal(key, "api"),),
    )
    claims.put("c", [])
    assert changes_for({key: claims.winner(key)}, {WANTED.id: foreign}) == ((), ())
    assert holder(foreign) == "api"
    assert [holder(each) for each in (None, WANTED, instance())] == ["", "", ""]


def test_an_entry_that_changed_its_service_takes_nothing_with_it() -> None:
    claims = Claims()
    claims.put("c", [WANTED])
    old = replace(WANTED, service="old", checks=(TTL,))
    assert changes_for({key_of(WANTED): WANTED}, {WANTED.id: old}) == ((Put(WANTED),), ())
