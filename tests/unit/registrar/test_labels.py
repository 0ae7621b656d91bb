from collections.abc import Mapping
from typing import Any

import pytest

from registrar.labels import attributes_of, settings_of, split_tags, truth, value_of
from sidecar.engine.facts import Port
from tests.support.docker import container


def values(port: int = 80, **fields: Any) -> Mapping[str, str]:
    return attributes_of(settings_of(container(**fields)), Port(port)).values


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"env": ("SERVICE_A=1",)}, {"a": "1"}, id="variable"),
        pytest.param({"labels": {"SERVICE_A": "1"}}, {"a": "1"}, id="label"),
        pytest.param({"env": ("service_A=1", "XSERVICE_A=1")}, {}, id="prefix-is-exact"),
        pytest.param({"env": ("SERVICE_A=1=2",)}, {"a": "1=2"}, id="value-after-first-equals"),
        pytest.param({"env": ("SERVICE_A",)}, {}, id="without-equals"),
        pytest.param({"env": ("SERVICE_A=",)}, {"a": ""}, id="empty-is-kept"),
        pytest.param({"env": ("SERVICE_A=1", "SERVICE_A=2")}, {"a": "2"}, id="later-wins"),
        pytest.param(
            {"env": ("SERVICE_A=env",), "labels": {"SERVICE_A": "label"}},
            {"a": "label"},
            id="label-beats-variable",
        ),
        pytest.param(
            {"env": ("SERVICE_80_A=port",), "labels": {"SERVICE_A": "plain"}},
            {"a": "port"},
            id="port-beats-plain-wherever-it-stands",
        ),
        pytest.param({"env": ("SERVICE_080_A=1",)}, {}, id="port-text-must-be-equal"),
        pytest.param({"env": ("SERVICE_81_A=1",)}, {}, id="other-port"),
        pytest.param({"env": ("SERVICE_-1_A=1",)}, {}, id="negative-port"),
        pytest.param({"env": ("SERVICE_80=x",)}, {"80": "x"}, id="number-alone-is-a-key"),
        pytest.param({"env": ("SERVICE_MY_80=w",)}, {"my_80": "w"}, id="number-at-the-end"),
        pytest.param({"env": ("SERVICE_=x", "SERVICE_80_=y")}, {}, id="no-key"),
        pytest.param(
            {"env": ("SERVICE_NAME=a", "SERVICE_80_NAME=")}, {"name": "a"}, id="empty-port-name"
        ),
    ],
)
def test_attributes(fields: dict[str, Any], expected: dict[str, str]) -> None:
    assert values(**fields) == expected


def test_attributes_remember_how_they_were_spelled() -> None:
    found = attributes_of(settings_of(container(labels={"SERVICE_80_Check_TCP": "x"})), Port(80))
    assert found.label("check_tcp") == "SERVICE_80_Check_TCP"
    assert found.specific == {"check_tcp"}
    assert found.label("name") == "SERVICE_NAME"
    assert found.get("name") == ""


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        (r"one,two\,deux,,three, four ", (" four ", "three", "two,deux", "one")),
        ("", ()),
        (",,", ()),
        ("a", ("a",)),
        ("\\", ("\\",)),
    ],
)
def test_tags_are_split_at_commas_and_come_last_first(text: str, tags: tuple[str, ...]) -> None:
    assert split_tags(text) == tags


def test_a_label_beats_a_variable_and_the_last_variable_the_first() -> None:
    box = container(env=("V=1", "V=2"), labels={"l": "3"})
    assert value_of(box, "l", "V") == ("3", "l")
    assert value_of(box, "m", "V") == ("2", "V")
    assert value_of(box, "m", "W") is None
    assert value_of(box, "m", "") is None


@pytest.mark.parametrize(
    ("fields", "compat", "ours"),
    [
        pytest.param(
            {"env": ("SERVICE_NAME=a", "SERVICE_80_NAME=")}, {"name": ""}, {"name": "a"},
            id="empty-port-name",
        ),
        pytest.param({"env": ("SERVICE_=x", "SERVICE_80_=y")}, {"": "y"}, {}, id="no-key"),
        pytest.param(
            {"env": ("SERVICE_80_80_A=1", "SERVICE_80_A=2")},
            {"80_a": "1"}, {"80_a": "1", "a": "2"},
            id="a-longer-key-hides-a-ports-own",
        ),
        pytest.param(
            {"env": ("SERVICE_99999999999999999999_A=1",)},
            {"99999999999999999999_a": "1"}, {"99999999999999999999_a": "1"},
            id="no-port-but-a-key",
        ),
        pytest.param(
            {"labels": {"SERVICE_A=b": "c"}}, {"a": "b=c"}, {"a": "b=c"}, id="equals-in-a-label"
        ),
        pytest.param(
            {"env": ("SERVICE_80_UDP_NAME=u", "SERVICE_80_TCP_NAME=t", "SERVICE_80_NAME=p")},
            {"udp_name": "u", "tcp_name": "t", "name": "p"}, {"name": "t"},
            id="protocol-beats-port",
        ),
    ],
)  # fmt: skip
def test_compat_reads_some_keys_otherwise(
    fields: dict[str, Any], compat: dict[str, str], ours: dict[str, str]
) -> None:
    settings = settings_of(container(**fields))
    assert attributes_of(settings, Port(80), compat=True).values == compat
    assert attributes_of(settings, Port(80)).values == ours


@pytest.mark.parametrize(
    ("text", "said"), [("true", True), (" Yes ", True), ("0", False), ("OFF", False), ("x", None)]
)
def test_a_switch_says_yes_no_or_nothing(text: str, said: bool | None) -> None:
    assert truth(text) is said
