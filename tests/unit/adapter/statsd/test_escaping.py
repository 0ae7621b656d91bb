import pytest

from adapter.statsd.escaping import escaped


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", ""), ("a_b", "a_b"), ("1foo", "_1foo"), ("fö.x", "f__x"), ("foo--bar", "foo_bar"),
        ("foo---bar", "foo_bar"), ("a-b", "a_b"), ("a/b c.d", "a_b_c_d"), ("..", "__"),
        ("-", "_"), ("--", "_"), ("١", "_"),
    ],
)  # fmt: skip
def test_names_become_what_prometheus_takes(name: str, expected: str) -> None:
    assert escaped(name) == expected
