import pytest

from sidecar.checks.policy import CheckPolicy

POLICY = CheckPolicy(own_ports=frozenset({8500}), own_addresses=frozenset({"192.0.2.7"}))


@pytest.mark.parametrize(
    ("address", "port", "local", "refused"),
    [
        ("192.0.2.1", 80, True, False),
        ("192.0.2.1", 80, False, False),
        ("127.0.0.1", 80, True, False),
        ("127.0.0.1", 80, False, True),
        ("127.9.9.9", 80, False, True),
        ("::1", 80, False, True),
        ("0.0.0.0", 80, False, True),
        ("::", 80, False, True),
        ("::ffff:127.0.0.1", 80, False, True),
        ("127.0.0.1", 8500, True, True),
        ("0.0.0.0", 8500, True, True),
        ("192.0.2.7", 8500, True, True),
        ("192.0.2.7", 8501, True, False),
        ("192.0.2.8", 8500, True, False),
        ("169.254.169.254", 80, True, True),
        ("::ffff:169.254.169.254", 80, True, True),
        ("2002:a9fe:a9fe::", 80, True, True),
        ("64:ff9b::a9fe:a9fe", 80, True, True),
        ("fe80::1%eth0", 80, True, True),
        ("fd00:ec2::254", 80, True, True),
        ("224.0.0.1", 80, True, True),
        ("255.255.255.255", 80, True, True),
        ("2001:db8::1", 80, False, False),
        ("not an address", 80, True, True),
    ],
)
def test_an_address_is_refused_or_not(address: str, port: int, local: bool, refused: bool) -> None:
    assert (POLICY.refusal(address, port, local=local) is not None) is refused


def test_loopback_can_be_opened_to_all() -> None:
    policy = CheckPolicy(allow_loopback=True)
    assert policy.refusal("127.0.0.1", 80, local=False) is None


def test_only_allowed_addresses_of_a_name_are_left() -> None:
    found = POLICY.allowed(["169.254.169.254", "192.0.2.1"], 80, local=True)
    assert found == ["192.0.2.1"]
    with pytest.raises(PermissionError, match="may not connect"):
        POLICY.allowed(["169.254.169.254"], 80, local=True)
