from sidecar.catalog.model import Instance, InstanceId, Key, key_of
from sidecar.stores.consul.batch import batch_of, by_id


def entry(service: str, id_: str = "same") -> Instance:
    return Instance(id=InstanceId(id_), service=service, node="n", address="192.0.2.1", port=80)


ONE, TWO = entry("one"), entry("two")
FIRST, SECOND = key_of(ONE), key_of(TWO)


def test_what_is_wanted_is_put_and_what_is_not_dropped() -> None:
    other = entry("one", "other")
    batch = batch_of({FIRST: ONE, key_of(other): None}, {})
    assert batch.puts == {"same": (FIRST, ONE)}
    assert batch.drops == {"other": key_of(other)}
    assert batch.refused == {}


def test_of_two_with_one_id_the_holder_keeps_it_else_the_first_gets_it() -> None:
    both = {FIRST: ONE, SECOND: TWO}
    for held, winner, loser in (
        ({}, FIRST, SECOND),
        ({"same": FIRST}, FIRST, SECOND),
        ({"same": SECOND}, SECOND, FIRST),
        ({"same": Key("three", "n", InstanceId("same"))}, FIRST, SECOND),
    ):
        batch = batch_of(both, held)
        assert batch.puts["same"][0] == winner
        assert batch.refused.keys() == {loser}


def test_an_id_that_another_service_has_by_now_is_not_dropped() -> None:
    assert batch_of({FIRST: None}, {"same": SECOND}).drops == {}
    assert batch_of({FIRST: None, SECOND: TWO}, {"same": FIRST}).drops == {}
    assert batch_of({FIRST: None}, {"same": FIRST}).drops == {"same": FIRST}
    assert batch_of({FIRST: None}, {}).drops == {"same": FIRST}


def test_desired_entries_are_found_by_id() -> None:
    other = entry("one", "other")
    desired = {FIRST: ONE, SECOND: TWO, key_of(other): other}
    assert by_id(desired) == {"same": {FIRST: ONE, SECOND: TWO}, "other": {key_of(other): other}}
