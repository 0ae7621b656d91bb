import pytest

from sidecar.catalog.reach import is_denied, is_disguised


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("192.0.2.1", False), ("127.0.0.1", False), ("2001:db8::1", False), ("web", False),
        ("169.254.169.254", True), ("::ffff:169.254.169.254", True), ("2002:a9fe:a9fe::", True),
        ("64:ff9b::a9fe:a9fe", True), ("fe80::1", True), ("fd00:ec2::254", True),
        ("224.0.0.1", True), ("ff02::1", True), ("255.255.255.255", True),
    ],
)  # fmt: skip
def test_link_local_and_many_are_denied(text: str, denied: bool) -> None:
    assert is_denied(text) is denied


@pytest.mark.parametrize(
    ("text", "disguised"),
    [
        ("2852039166", True), ("0251.0376.0251.0376", True), ("0xa9fea9fe", True), ("127.1", True),
        ("0x7f.1", True), ("1.2.3.4.", True), ("web.0x", True),
        ("web", False), ("web1", False), ("1.example.org", False), ("0xfg", False), ("a.b2", False),
    ],
)  # fmt: skip
def test_what_is_written_so_that_it_looks_like_a_name_is_known(text: str, disguised: bool) -> None:
    assert is_disguised(text) is disguised
