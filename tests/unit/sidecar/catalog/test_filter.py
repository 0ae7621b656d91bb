import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sidecar.catalog.expression import MAX_DEPTH, MAX_LENGTH
from sidecar.catalog.fields import AGENT_SERVICE, CATALOG_NODE, HEALTH_SERVICE, Struct
from sidecar.catalog.filter import FilterError, compile_filter

# What a real Consul 1.8.7 answered: entries of an endpoint, and for each expression the ids that
# passed or the text of status 500.
_HERE = Path(__file__).parent
AGENT: dict[str, Any] = json.loads((_HERE / "recorded_agent_services.json").read_text())
HEALTH: dict[str, Any] = json.loads((_HERE / "recorded_health_service.json").read_text())

# Where we answer otherwise on purpose: scripts are no categories, and size has a text of its own.
DIFFERENT = {"Service matches `\\p{Greek}`", "Service matches `(a{100}){100}`"}


def answer(text: str, fields: Struct, entries: dict[str, Any], keys: list[str]) -> object:
    """Return the keys that pass, or the text of the refusal."""
    try:
        chosen = compile_filter(text, fields)
    except FilterError as error:
        return str(error)
    return [key for key in keys if chosen(entries[key])]


@pytest.mark.parametrize(
    ("text", "wanted"), [recorded for recorded in AGENT["answers"] if recorded[0] not in DIFFERENT]
)
def test_agent_services_are_filtered_as_recorded(text: str, wanted: object) -> None:
    entries = AGENT["entries"]
    assert answer(text, AGENT_SERVICE, entries, sorted(entries)) == wanted


@pytest.mark.parametrize(("text", "wanted"), HEALTH["answers"])
def test_health_entries_are_filtered_as_recorded(text: str, wanted: object) -> None:
    entries = {entry["Service"]["ID"]: entry for entry in HEALTH["entries"]}
    assert answer(text, HEALTH_SERVICE, entries, sorted(entries)) == wanted


def test_an_empty_expression_lets_everything_pass() -> None:
    assert compile_filter("", CATALOG_NODE)({})


@pytest.mark.parametrize(
    "text",
    [
        'Proxy.DestinationServiceName == ""',
        "Connect.Native == false",
        "Proxy.LocalServicePort == 0",
        "Proxy.Upstreams is empty",
        'not Proxy.Upstreams.DestinationName == ""',
        "Tags is empty",
        "x not in Tags",
        "Meta is empty",
        "Meta.k != v",
    ],
)
def test_what_the_answer_leaves_out_counts_as_zero(text: str) -> None:
    assert compile_filter(text, AGENT_SERVICE)({"ID": "a", "Tags": None, "Meta": None})


@pytest.mark.parametrize("text", ["(" * 1000 + "ID == a", "not " * 1000 + "ID == a"])
def test_depth_is_bounded(text: str) -> None:
    with pytest.raises(FilterError, match=f"deeper than {MAX_DEPTH}"):
        compile_filter(text, AGENT_SERVICE)


def test_unclosed_parentheses_take_linear_time() -> None:
    with pytest.raises(FilterError, match="Unmatched"):
        compile_filter("(" * (MAX_DEPTH - 1) + "ID == a", AGENT_SERVICE)


def test_length_is_bounded() -> None:
    with pytest.raises(FilterError, match="longer"):
        compile_filter("x" * (MAX_LENGTH + 1), AGENT_SERVICE)


def test_a_long_chain_is_no_deep_one() -> None:
    text = " and ".join(["ID == a"] * 300)
    assert compile_filter(text, AGENT_SERVICE)({"ID": "a"})


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(a*)*b", "^(a?){50}a{50}$"])
def test_no_pattern_takes_more_than_linear_time(pattern: str) -> None:
    chosen = compile_filter(f"ID matches `{pattern}`", AGENT_SERVICE)
    assert not chosen({"ID": "a" * 5000 + "!"})


def test_patterns_share_one_bounded_amount_of_work() -> None:
    chosen = compile_filter("ID matches `(x|y)*x(x|y){12}z`", AGENT_SERVICE)
    entry = {"ID": "xyyxyxxyxyyyxyxx" * 500}
    with pytest.raises(FilterError, match="take too long"):
        all(not chosen(entry) for _ in range(1000))


def test_a_script_is_no_category_and_too_large_a_pattern_is_refused() -> None:
    for pattern in ("\\p{Greek}", "(a{100}){100}"):
        with pytest.raises(FilterError, match="Failed to compile regular expression"):
            compile_filter(f"ID matches `{pattern}`", AGENT_SERVICE)


@given(st.text(max_size=60))
@example("\ud800 == x")
@example('ID == "\\ud800"')
@example("ID == \x00")
def test_any_text_is_a_filter_or_a_filter_error(text: str) -> None:
    with suppress(FilterError):
        compile_filter(text, AGENT_SERVICE)({"ID": "a"})


@given(
    st.lists(
        st.sampled_from(
            [
                *("ID", "Port", "Meta", "Tags", ".k", '["k"]', "==", "!=", " in ", " not "),
                *(" and ", " or ", "(", ")", " is empty", " matches ", "`a+`", '"x"', "80"),
                *("-", "0", " ", "\n"),
            ]
        ),
        max_size=14,
    )
)
def test_any_mixture_of_words_is_a_filter_or_a_filter_error(words: list[str]) -> None:
    with suppress(FilterError):
        compile_filter("".join(words), AGENT_SERVICE)({"ID": "a", "Meta": {"k": "v"}})


# --- against a naive oracle: Python's own operators over the same leaves

LEAVES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "ID == a": lambda e: e["ID"] == "a",
    "ID != a": lambda e: e["ID"] != "a",
    "a in ID": lambda e: "a" in e["ID"],
    "ID not contains a": lambda e: "a" not in e["ID"],
    "ID matches `^a+$`": lambda e: bool(e["ID"]) and set(e["ID"]) == {"a"},
    "Port == 1": lambda e: e["Port"] == 1,
    'Port != "0x1"': lambda e: e["Port"] != 1,
    "Tags contains t": lambda e: "t" in e["Tags"],
    "u not in Tags": lambda e: "u" not in e["Tags"],
    "Tags is empty": lambda e: not e["Tags"],
    "Meta is not empty": lambda e: bool(e["Meta"]),
    "Meta.k == v": lambda e: e["Meta"].get("k") == "v",
    "Meta.k not matches v": lambda e: "v" not in e["Meta"].get("k", ""),
    "EnableTagOverride == true": lambda e: e["EnableTagOverride"],
}
ENTRIES = st.fixed_dictionaries(
    {
        "ID": st.text("ab", max_size=3),
        "Port": st.integers(0, 2),
        "Tags": st.lists(st.sampled_from("tu"), max_size=2),
        "Meta": st.dictionaries(st.sampled_from("kl"), st.sampled_from("vw"), max_size=2),
        "EnableTagOverride": st.booleans(),
    }
)
TREES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(sorted(LEAVES)),
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), inner, inner),
    ),
    max_leaves=8,
)


def written(tree: Any) -> str:
    if isinstance(tree, str):
        return tree
    if tree[0] == "not":
        return f"not ({written(tree[1])})"
    return f"({written(tree[1])}) {tree[0]} ({written(tree[2])})"


def naive(tree: Any, entry: dict[str, Any]) -> bool:
    if isinstance(tree, str):
        return bool(LEAVES[tree](entry))
    if tree[0] == "not":
        return not naive(tree[1], entry)
    both = naive(tree[1], entry), naive(tree[2], entry)
    return all(both) if tree[0] == "and" else any(both)


@given(TREES, ENTRIES)
def test_every_tree_is_what_its_parts_say(tree: Any, entry: dict[str, Any]) -> None:
    assert compile_filter(written(tree), AGENT_SERVICE)(entry) == naive(tree, entry)
