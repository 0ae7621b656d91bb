"""Classic Swarm's expressions and SwarmKit's constraints."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.scheduler.constraints import parse_constraint
from sidecar.scheduler.expressions import Expression, ExpressionError, parse_expression


@pytest.mark.parametrize(
    ("text", "candidates", "holds"),
    [
        ("storage==ssd", ["ssd"], True), ("storage==ssd", [""], False),
        ("storage!=ssd", [""], True), ("storage!=ssd", ["ssd", "x"], False),
        ("image==redis*", ["redis:7"], True), ("image==*:7", ["redis:7"], True),
        ("image==a*b*c", ["aXbYc"], True), ("image==a*b*c", ["acb"], False),
        ("image==ab*ba", ["aba"], False), ("v==1.2", ["1x2"], False),
        ("v==a|b", ["a"], False), ("v==/a|b/", ["xay"], True), ("v==/(?i)^SSD$/", ["ssd"], True),
        ("node==/node[12]/", ["node10"], True), ("a==b", ["b"], True), ("a==~b", ["b"], True),
        ("x==b", [], False), ("x!=b", [], True),
    ],
)  # fmt: skip
def test_an_expression_holds(text: str, candidates: list[str], holds: bool) -> None:
    assert parse_expression(text).holds(candidates) is holds


@pytest.mark.parametrize(
    ("text", "says", "position"),
    [
        ("storage", "neither", 0), ("storage=ssd", "write ==", 7), ("==x", "key", 0),
        ("a b==x", "key", 1), ("a==", "empty", 3), ("a==~", "invalid", 3), ("a==b;c", "invalid", 4),
        ("a==/(/", "missing", 4), (f"a==/{'b' * 300}/", "longer", 4), ("1a==b", "key", 0),
        ("a==/x{9999}/", "invalid", 5),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_with_its_place(text: str, says: str, position: int) -> None:
    with pytest.raises(ExpressionError, match=says) as caught:
        parse_expression(text)
    assert abs(caught.value.position - position) <= 1


def test_classics_own_ways() -> None:
    assert parse_expression("vv==1.2", classic=True).holds(["1x2"])
    assert parse_expression("vv==a|b", classic=True).holds(["ax"]), "the anchors are one each"
    assert parse_expression("vv!=/(/", classic=True).holds(["x"]), "a wrong pattern matches nothing"
    with pytest.raises(ExpressionError, match="key"):
        parse_expression("a==b", classic=True)


def test_a_doubtful_value_is_warned_of() -> None:
    assert "one = too many" in parse_expression("storage===ssd").warning
    assert not parse_expression("storage==ssd").warning


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_expression, parse_constraint):
        try:
            rule = parse(text)
        except ExpressionError as error:
            told = str(error)
        else:
            told = rule.key
        assert told


@given(st.text(alphabet="ab*?", min_size=1, max_size=8), st.text(alphabet="ab", max_size=8))
def test_a_glob_is_what_its_stars_say(glob: str, text: str) -> None:
    if glob.strip("?") and not set(glob) & {"?"}:
        pattern = ".*".join(map(re.escape, glob.split("*")))
        expected = re.fullmatch(pattern, text) is not None
        assert parse_expression(f"k=={glob}").holds([text]) is expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("node.nothing==x", "none of"), ("node.ip==x", "neither an address"),
        ("node.labels.==x", "none of"), ("node.id", "neither"), ("node.id==a;b", "invalid"),
        ("engine.x==y", "none of"),
    ],
)  # fmt: skip
def test_a_wrong_constraint_is_told(text: str, says: str) -> None:
    with pytest.raises(ExpressionError, match=says):
        parse_constraint(text)


def test_without_its_prefix_a_constraint_is_classics() -> None:
    rule = parse_constraint("disktype = ssd")
    assert isinstance(rule, Expression)
    assert rule.holds(["ssd"])
