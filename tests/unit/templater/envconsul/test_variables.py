"""Names as envconsul v0.13.4 makes them of the same answers (measured beside it)."""

from typing import Any

import pytest

from sidecar.gotemplate.values import Map, Slice
from templater.consul_template.instances import instances_of
from templater.consul_template.queries import ListQuery, Query, SecretQuery, instances
from templater.consul_template.records import PAIRS, Pair, Secret
from templater.consul_template.schema import Tree
from templater.envconsul.settings import Settings
from templater.envconsul.variables import Unusable, variables_of, wanted_of

PAIRS_OF_APP = {"port": "80", "db/host": "h", "a-b": "c", "dir/": "d", " ": "blank", "e": ""}


def pairs(values: dict[str, str]) -> Slice:
    return Slice([Pair(f"app/{key}", key, value) for key, value in values.items()], PAIRS)


def secret(data: dict[str, Any]) -> Secret:
    held: dict[object, object] = {}
    held.update(data)
    return Secret("", "", 0, False, Map(held))


def found(tree: Tree, answers: dict[Query, object]) -> tuple[dict[str, str], tuple[str, ...]]:
    settings = Settings.of({"exec": {"command": ("env",)}, **tree}, {})
    values, problems = variables_of(settings, wanted_of(settings, {}), answers)
    return values, problems


@pytest.mark.parametrize(
    ("prefix", "more", "expected"),
    [
        ({}, {}, {"port": "80", "db/host": "h", "a-b": "c", "dir/": "d", "e": ""}),
        ({}, {"upcase": True, "sanitize": True},
         {"PORT": "80", "DB_HOST": "h", "A_B": "c", "DIR_": "d", "E": ""}),
        ({"no_prefix": False}, {},
         {"app_port": "80", "app_db/host": "h", "app_a-b": "c", "app_dir/": "d", "app_e": ""}),
        ({"format": "x_{{key}}"}, {"sanitize": True},
         {"x_port": "80", "x_db_host": "h", "x_a_b": "c", "x_dir_": "d", "x_e": ""}),
        ({"format": '{{key | replaceKey "port" "P"}}'}, {},
         {"P": "80", "db/host": "h", "a-b": "c", "dir/": "d", "e": ""}),
        ({"format": "{{replaceKey key}}"}, {"upcase": True},
         {"PORT": "80", "DB/HOST": "h", "A-B": "c", "DIR/": "d", "E": ""}),
        ({"no_prefix": False, "format": "{{key}}!"}, {"sanitize": True, "upcase": True},
         {"APP_PORT_": "80", "APP_DB_HOST_": "h", "APP_A_B_": "c", "APP_DIR__": "d", "APP_E_": ""}),
    ],
    ids=["plain", "upper", "with the path", "format", "replaceKey", "replaceKey of one", "all"],
)  # fmt: skip
def test_keys_become_names(prefix: Tree, more: Tree, expected: dict[str, str]) -> None:
    tree = {"prefix": [{"path": "app", **prefix}], **more}
    assert found(tree, {ListQuery("app"): pairs(PAIRS_OF_APP)}) == (expected, ())


def test_what_is_no_letter_in_a_path_becomes_an_underscore() -> None:
    tree: Tree = {"prefix": [{"path": "a-b/c/", "no_prefix": False}]}
    values, _ = found(tree, {ListQuery("a-b/c/"): pairs({"k-y": "v"})})
    assert values == {"a_b_c__k-y": "v"}


def test_later_prefix_wins_and_a_secret_wins_over_all() -> None:
    tree: Tree = {
        "secret": [{"path": "s", "no_prefix": True}],
        "prefix": [{"path": "a"}, {"path": "b"}],
    }
    answers: dict[Query, object] = {
        ListQuery("a"): pairs({"x": "a", "y": "a", "z": "a"}),
        ListQuery("b"): pairs({"y": "b", "z": "b"}),
        SecretQuery("s"): secret({"z": "s"}),
    }
    assert found(tree, answers)[0] == {"x": "a", "y": "b", "z": "s"}


def test_of_two_blocks_with_one_path_the_last_says_how() -> None:
    tree: Tree = {"prefix": [{"path": "a", "format": "f_{{key}}"}, {"path": "b"}, {"path": "a"}]}
    answers: dict[Query, object] = {
        ListQuery("a"): pairs({"x": "a"}),
        ListQuery("b"): pairs({"x": "b"}),
    }
    assert found(tree, answers)[0] == {"x": "a"}


def test_last_instance_of_a_service_wins() -> None:
    body = b"""[
      {"ServiceID": "web-1", "ServiceName": "web", "ServicePort": 1, "ServiceTags": ["b", "a"]},
      {"ServiceID": "web-2", "ServiceName": "web", "ServicePort": 2, "ServiceTags": ["v2", "a"],
       "ServiceAddress": "192.0.2.1"}]"""
    tree: Tree = {"service": [{"query": "web", "format_id": "{{service}}.{{key}}"}], "upcase": True}
    assert found(tree, {instances("web"): instances_of(body)}) == (
        {
            "WEB.ID": "web-2", "WEB/NAME": "web", "WEB/ADDRESS": "192.0.2.1", "WEB/TAG": "a,v2",
            "WEB/PORT": "2",
        },
        (),
    )  # fmt: skip


def test_fields_of_a_secret_begin_with_its_path() -> None:
    tree: Tree = {"secret": [{"path": "kv/app"}]}
    answers: dict[Query, object] = {
        SecretQuery("kv/app"): secret({"a b": "1", "n": 2, "none": None, " ": "x"})
    }
    assert found(tree, answers) == (
        {"kv_app_a b": "1"},
        ("vault.read(kv/app): 'n' is left out: its value is no text",),
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"data": {"a": "1"}, "metadata": {"version": 3}}, {"a": "1"}),
        ({"data": None, "metadata": {"version": 3}}, {}),
        ({"data": "plain", "metadata": "text"}, {"data": "plain", "metadata": "text"}),
        ({"data": "plain", "metadata": {}}, {"data": "plain"}),
    ],
    ids=["version 2", "deleted", "version 1 with these names", "no version"],
)
def test_version_2_keeps_the_fields_one_level_down(
    data: dict[str, Any], expected: dict[str, str]
) -> None:
    tree: Tree = {"secret": [{"path": "s", "no_prefix": True}]}
    assert found(tree, {SecretQuery("s"): secret(data)})[0] == expected


def test_listed_fields_of_a_secret_are_the_only_ones_each_under_its_names() -> None:
    keys = [
        {"name": "a", "format": "A1_{{key}}"}, {"name": "a", "format": "A2"}, {"name": "b"},
    ]  # fmt: skip
    tree: Tree = {"secret": [{"path": "s", "key": keys}], "upcase": True}
    answers: dict[Query, object] = {SecretQuery("s"): secret({"a": "1", "b": "2", "c": "3"})}
    assert found(tree, answers)[0] == {"S_A1_A": "1", "S_A2": "1", "S_B": "2"}


def test_format_of_the_whole_secret_makes_the_list_of_fields_count_for_nothing() -> None:
    tree: Tree = {"secret": [{"path": "s", "format": "{{key}}!", "key": [{"name": "a"}]}]}
    answers: dict[Query, object] = {SecretQuery("s"): secret({"a": "1", "b": "2"})}
    assert found(tree, answers)[0] == {"s_a!": "1", "s_b!": "2"}


@pytest.mark.parametrize(
    ("tree", "value", "problem"),
    [
        ({"format": "{{/* nothing */}}"}, "v", "'' is left out: the name is empty"),
        ({"format": "a=b"}, "v", "'a=b' is left out: no name has an equals sign or a NUL"),
        ({}, "a\0b", "'k' is left out: no value has a NUL"),
    ],
)
def test_what_can_be_no_variable_is_left_out_and_told_without_its_value(
    tree: Tree, value: str, problem: str
) -> None:
    values, problems = found(
        {"prefix": [{"path": "p", **tree}]}, {ListQuery("p"): pairs({"k": value})}
    )
    assert values == {}
    assert problems == (f"kv.list(p): {problem}",)


def test_format_that_fails_leaves_only_its_variable_out() -> None:
    tree: Tree = {
        "prefix": [{"path": "p", "format": '{{if eq key "bad"}}{{index 1 2}}{{end}}{{key}}'}]
    }
    values, problems = found(tree, {ListQuery("p"): pairs({"bad": "1", "good": "2"})})
    assert values == {"good": "2"}
    assert problems[0].startswith("kv.list(p): template: filter:1:")


def test_paths_take_variables_and_an_empty_one_means_everything() -> None:
    tree: Tree = {
        "exec": {"command": ("env",)},
        "prefix": [{"path": '{{env "WHERE"}}/x'}, {"path": ""}],
    }
    settings = Settings.of(tree, {})
    wanted = wanted_of(settings, {"WHERE": "here"})
    assert [each.query for each in wanted] == [ListQuery("here/x"), ListQuery("")]
    with pytest.raises(Unusable, match="environment variable WHERE is not set"):
        wanted_of(settings, {})


@pytest.mark.parametrize(
    ("tree", "why"),
    [
        ({"prefix": [{"path": "a@b@c"}]}, 'kv.list: invalid format: "a@b@c"'),
        ({"service": [{"query": "web|any"}]}, r'catalog.service: invalid format: "web\|any"'),
        ({"secret": [{"path": "/"}]}, 'vault.read: invalid format: "/"'),
    ],
)
def test_unusable_query_is_told_in_the_words_of_the_original(tree: Tree, why: str) -> None:
    with pytest.raises(Unusable, match=why):
        wanted_of(Settings.of({"exec": {"command": ("env",)}, **tree}, {}), {})
