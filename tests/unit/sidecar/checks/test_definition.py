import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.catalog.model import Status
from sidecar.checks.definition import (
    CheckDefinition,
    DefinitionError,
    Kind,
    definition_of,
)

# Bodies of agent/check/register with status and text of a real Consul 1.8.7.
RECORDED: list[tuple[dict[str, Any], int, str]] = json.loads(
    (Path(__file__).parent / "recorded_definitions.json").read_text()
)


def refused(data: object, **options: Any) -> tuple[int, str]:
    with pytest.raises(DefinitionError) as caught:
        definition_of(data, **options)
    return caught.value.http_status, str(caught.value)


@pytest.mark.parametrize(("data", "status", "text"), RECORDED)
def test_bodies_are_taken_or_refused_as_recorded(
    data: dict[str, Any], status: int, text: str
) -> None:
    try:
        definition_of(data)
        got = 200, ""
    except DefinitionError as error:
        got = error.http_status, str(error)
    if data.get("ServiceID") == "nope":  # whether the service exists is the catalogue's question
        assert got == (200, "")
    elif "\n" in str(data.get("Name")):  # Consul takes control characters
        assert got == (400, "Invalid check: Name contains control characters")
    else:
        assert got == (status, text)


def test_every_field_arrives() -> None:
    found = definition_of(
        {
            "ID": "i",
            "Name": "n",
            "Notes": "o",
            "service_id": "s",
            "Status": "warning",
            "HTTP": "http://192.0.2.1/",
            "Method": "PUT",
            "Header": {"X": ["1", "2"]},
            "Body": "b",
            "Interval": "1m30s",
            "Timeout": "250ms",
            "tls_skip_verify": True,
            "SuccessBeforePassing": 2,
            "FailuresBeforeCritical": 3,
            "deregister_critical_service_after": "2h",
            "OutputMaxSize": 9,
        }
    )
    assert found == CheckDefinition(
        name="n",
        kind=Kind.HTTP,
        id="i",
        notes="o",
        service_id="s",
        status=Status.WARNING,
        target="http://192.0.2.1/",
        method="PUT",
        headers={"X": ("1", "2")},
        body="b",
        interval=90.0,
        timeout=0.25,
        verify_tls=False,
        success_before_passing=2,
        failures_before_critical=3,
        deregister_after=7200.0,
        output_most=9,
    )


def test_least_values_are_raised_to() -> None:
    found = definition_of(
        {"Name": "n", "TCP": "h:1", "Interval": "1ms", "DeregisterCriticalServiceAfter": "1s"}
    )
    assert (found.interval, found.deregister_after, found.timeout) == (1.0, 60.0, 10.0)


def test_a_check_of_a_service_may_leave_out_its_name() -> None:
    assert definition_of({"TTL": "1s"}, default_name="d").name == "d"


def test_scripts_are_for_local_configuration_only() -> None:
    data = {"Name": "n", "ScriptArgs": ["true", "x"], "Interval": "1s"}
    assert refused(data)[0] == 500
    found = definition_of(data, scripts=True)
    assert (found.kind, found.argv) == (Kind.SCRIPT, ("true", "x"))


def test_docker_checks_are_refused_in_plain_words() -> None:
    data = {"Name": "n", "Args": ["true"], "DockerContainerID": "c", "Interval": "1s"}
    status, text = refused(data, scripts=True)
    assert status == 400
    assert "not supported" in text


@pytest.mark.parametrize("data", [[], "x", 1, True])
def test_a_body_that_is_no_object_is_refused(data: object) -> None:
    assert refused(data)[1].startswith("Request decode failed: json: cannot unmarshal ")


@pytest.mark.parametrize("value", [1 << 63, 1e300, float("inf"), float("nan")])
def test_a_duration_that_overflows_is_refused(value: float) -> None:
    assert refused({"Name": "n", "TTL": value})[0] == 400


def test_a_negative_duration_can_be_written() -> None:
    assert refused({"Name": "n", "TTL": "-1h"})[1].endswith("TTL must be > 0 for TTL checks")


def test_null_is_as_if_left_out() -> None:
    assert refused(None) == (400, "Missing check name")
    data = {"Name": "n", "TTL": "1s", "Header": None, "Args": None, "ID": None}
    assert definition_of(data).kind is Kind.TTL
    assert definition_of({**data, "Header": {"X": [None]}}).headers == {"X": ("",)}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
NAMES = st.sampled_from(
    [
        *("Name", "TTL", "Interval", "HTTP", "TCP", "Args", "Header", "Status", "Timeout", "ID"),
        *("OutputMaxSize", "AliasNode", "GRPC", "Body", "Bogus"),
    ]
)


@given(st.dictionaries(NAMES, JSON | st.sampled_from(["1s", "passing", "x:1"])))
def test_any_json_is_a_definition_or_a_definition_error(data: dict[str, object]) -> None:
    try:
        found = definition_of(data, scripts=True)
    except DefinitionError:
        return
    assert found.name
    assert found.kind is Kind.ALIAS or found.ttl > 0 or found.interval >= 1
