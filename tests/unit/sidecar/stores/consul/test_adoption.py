import pytest

from sidecar.stores.consul.adoption import holders_own, is_adopted, node_of


@pytest.mark.parametrize(
    ("id_", "node"),
    [
        ("vm:web:80", "vm"),
        ("vm:web:80:udp", "vm"),
        ("a.b-c:my_web.1:8080", "a.b-c"),
        ("vm:x/y:80", ""),
        ("vm:web:tcp", ""),
        ("web", ""),
        ("vm:web:80:tcp", ""),
        ("a:b:web:80", "a:b"),
        (":web:80", ""),
    ],
)
def test_an_id_tells_its_host_by_registrators_rule(id_: str, node: str) -> None:
    assert node_of(id_) == node


def test_without_a_name_nothing_is_adopted() -> None:
    assert is_adopted("vm:web:80", "vm")
    assert not is_adopted("vm:web:80", "other")
    assert not is_adopted("web", "")


def test_marks_decide_and_the_name_only_for_what_nobody_claims() -> None:
    ids = ["marked", "vm:left:80", "vm:claimed:80", "other:web:80"]
    found = holders_own(ids, {"marked"}, {"vm:claimed:80": "registrar:b"}, "vm")
    assert found == {"marked", "vm:left:80"}
