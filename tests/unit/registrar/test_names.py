import pytest

from registrar import names


@pytest.mark.parametrize(
    "text", ["web", "a", "A-b_c.d", "x" * 63, "0", "_x", ".".join(["a" * 20] * 6)]
)
def test_safe_service_names(text: str) -> None:
    assert names.is_service_name(text)


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "../../etc", "a/b", ".a", "a.", "a..b", "-a", "a-", "a b", "a\n", "ä", "a\x00",
     "x" * 64, ".".join(["a" * 20] * 7), "a\ufffd", "１"],
    ids=ascii,
)  # fmt: skip
def test_unsafe_service_names(text: str) -> None:
    assert not names.is_service_name(text)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("vm:box:80:udp", True), ("a", True), ("", False), ("a/b", False), ("a b", False),
     (":a", False), ("x" * 256, False)],
)  # fmt: skip
def test_instance_ids(text: str, is_one: bool) -> None:
    assert names.is_instance_id(text) is is_one


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("example.org", True), ("*.example.org", True), ("a", True), ("A.b", False), ("a_b", False),
     ("a..b", False), ("*", False), ("a:80", False), ("a\n", False), ("a." * 126 + "a", True),
     ("a." * 127 + "a", False)],
)  # fmt: skip
def test_host_patterns(text: str, is_one: bool) -> None:
    assert names.is_host_pattern(text) is is_one


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("192.0.2.1", True), ("fd00::1", True), ("fe80::1%eth0", False), ("", False), ("x", False)],
)
def test_addresses(text: str, is_one: bool) -> None:
    assert names.is_address(text) is is_one


@pytest.mark.parametrize(
    ("text", "is_one"), [("", True), ("0.0.0.0", True), ("::", True), ("192.0.2.1", False)]
)
def test_wildcard_addresses(text: str, is_one: bool) -> None:
    assert names.is_wildcard_address(text) is is_one


def test_meta_keys_hold_only_what_consul_takes() -> None:
    assert names.meta_key("a.b/c ä\n") == "a_b_c___"
    assert len(names.meta_key("k" * 1000)) == 128


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("plain", "plain"),
        ("a\r\nb\x1b[0m", "ab[0m"),
        ("\ud800x", "\ufffdx"),
        ("a\u2028\u202eb", "ab"),
        ("ä€", "ä€"),
    ],
    ids=ascii,
)
def test_cleaned_text_is_printable(text: str, clean: str) -> None:
    assert names.cleaned(text) == clean


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [("abc", 3, "abc"), ("abcd", 3, "abc"), ("aää", 4, "aä"), ("", 3, "")],
)
def test_cut_text_fits_in_bytes_and_ends_at_a_character(text: str, limit: int, short: str) -> None:
    assert names.cut(text, limit) == short
