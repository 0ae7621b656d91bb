"""What requests may be told by, and what can never be asked for."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.catalog.matching import Match, matches_of


def test_a_text_is_read_as_it_is_written() -> None:
    text = "header:X-Canary=1,cookie:beta=a.b/c:d~e+f@g-h_i"
    found = matches_of(text)
    assert found == (
        Match("header", "X-Canary", "1"), Match("cookie", "beta", "a.b/c:d~e+f@g-h_i"),
    )  # fmt: skip
    assert ",".join(map(str, found)) == text
    assert matches_of("header:a=1,header:a=1") == (Match("header", "a", "1"),)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "'' is neither header nor cookie"),
        ("path:/=1", "'path' is neither"),
        ("header:X_Y=1", "'X_Y' is not the name of a header"),
        ("cookie:a-b=1", "'a-b' is not the name of a cookie"),
        ("header:=1", "'' is not the name"),
        ("header:X=", "'' cannot be asked for"),
        ("header:X=a b", "'a b' cannot be asked for"),
        ("header:X=1 } { always_true", "cannot be asked for"),
        ("header:X=1\n", "cannot be asked for"),
        ("header:X=a=b", "cannot be asked for"),
        ("cookie:x=" + "1" * 129, "128 at most"),
        (",".join(f"header:X=a{n}" for n in range(9)), "9 matches of 107 characters are too many"),
        ("header:X=" + "1" * 600, "are too many"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        matches_of(text)


@given(st.text(max_size=40) | st.text('header:cookie=,X1 \n"#%${};', max_size=30))
def test_no_text_gets_through_with_a_character_of_syntax(text: str) -> None:
    try:
        found = matches_of(text)
    except ValueError:
        return
    assert not {*"".join(map(str, found))} & {*" \n\r\t\"'#%$\\{};"}
