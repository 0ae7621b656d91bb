"""Bodies as Consul 1.8.7 reads them; every text was recorded there."""

# ruff: noqa: E501 - recorded texts stay in one piece

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.errors import ApiError
from sidecar.web.consul import bodies, definitions
from sidecar.web.consul.decode import decode
from sidecar.web.consul.gojson import BadJson, Number, Object, read

SYNTAX = [
    (b"", "EOF"),
    (b"  ", "EOF"),
    (b"{", "unexpected EOF"),
    (b'{"Name":"we', "unexpected EOF"),
    (b'{"a":nul', "unexpected EOF"),
    (b"-", "unexpected EOF"),
    (b'{"a":"\\u12', "unexpected EOF"),
    (b'{"Name":"web","Port":80,}', "invalid character '}' looking for beginning of object key string"),
    (b'{"Name":"web" "Port":80}', "invalid character '\"' after object key:value pair"),
    (b'{"Name":tru}', "invalid character '}' in literal true (expecting 'e')"),
    (b'{"Name":"a\tb"}', "invalid character '\\t' in string literal"),
    (b"[1,]", "invalid character ']' looking for beginning of value"),
    (b"[1 2]", "invalid character '2' after array element"),
    (b"{a:1}", "invalid character 'a' looking for beginning of object key string"),
    (b'{"a" 1}', "invalid character '1' after object key"),
    (b'{"Name":01}', "invalid character '1' after object key:value pair"),
    (b'{"Name":-}', "invalid character '}' in numeric literal"),
    (b'{"Name":1.}', "invalid character '}' after decimal point in numeric literal"),
    (b'{"Name":1e}', "invalid character '}' in exponent of numeric literal"),
    (b'{"Name":"\\x"}', "invalid character 'x' in string escape code"),
    (b'{"Name":"\\u12"}', "invalid character '\"' in \\u hexadecimal character escape"),
    (b"{'Name':1}", "invalid character '\\'' looking for beginning of object key string"),
    (b"\xef\xbb\xbf{}", "invalid character '\xef' looking for beginning of value"),
    (b"NaN", "invalid character 'N' looking for beginning of value"),
    (b"[" * 65, "exceeded max depth"),
]  # fmt: skip

TYPES = [
    (b'{"Bogus":1}', 'json: unknown field "Bogus"'),
    (b'{"Namespace":"x"}', 'json: unknown field "Namespace"'),
    (b'{"Port":"80"}', "json: cannot unmarshal string into Go struct field .Port of type int"),
    (b'{"Port":1.5}', "json: cannot unmarshal number 1.5 into Go struct field .Port of type int"),
    (b'{"Port":1e3}', "json: cannot unmarshal number 1e3 into Go struct field .Port of type int"),
    (b'{"Port":true}', "json: cannot unmarshal bool into Go struct field .Port of type int"),
    (b'{"Tags":"a"}', "json: cannot unmarshal string into Go struct field .Tags of type []string"),
    (b'{"Tags":[1]}', "json: cannot unmarshal number into Go struct field .Tags of type string"),
    (b'{"Name":7}', "json: cannot unmarshal number into Go struct field .Name of type string"),
    (b'{"Name":{}}', "json: cannot unmarshal object into Go struct field .Name of type string"),
    (b'{"Meta":{"a":1}}', "json: cannot unmarshal number into Go struct field .Meta of type string"),
    (b'{"Meta":[1]}', "json: cannot unmarshal array into Go struct field .Meta of type map[string]string"),
    (b'{"Weights":3}', "json: cannot unmarshal number into Go struct field .Weights of type structs.Weights"),
    (b'{"TaggedAddresses":{"wan":{"Address":1}}}',
     "json: cannot unmarshal number into Go struct field ServiceAddress.TaggedAddresses.Address of type string"),
    (b'{"Check":{"Name":7}}', "json: cannot unmarshal number into Go struct field .Check of type string"),
    (b'{"Check":{"ttl":"x","Bogus":1}}', 'time: invalid duration "x"'),
    (b'{"Check":{"Bogus":1,"TTL":"x"}}', 'json: unknown field "Bogus"'),
    (b'{"Check":{"Interval":"5"}}', 'time: missing unit in duration "5"'),
    (b'{"Port":"x","Bogus":1}', "json: cannot unmarshal string into Go struct field .Port of type int"),
    (b'{"Checks":[{"ID":"c"}]}', 'json: unknown field "ID"'),
]  # fmt: skip


@pytest.mark.parametrize(("body", "text"), SYNTAX)
def test_what_is_no_json_is_told_in_gos_words(body: bytes, text: str) -> None:
    with pytest.raises(BadJson) as caught:
        read(body)
    assert str(caught.value) == text


@pytest.mark.parametrize(("body", "text"), TYPES)
def test_the_first_mistake_is_told(body: bytes, text: str) -> None:
    with pytest.raises(ApiError) as caught:
        decode(bodies.SERVICE, body)
    assert (caught.value.status, str(caught.value)) == (400, f"Request decode failed: {text}")


@pytest.mark.parametrize(
    ("struct", "body", "text"),
    [
        (bodies.CATALOG_REGISTER, b'{"Node":1}',
         "json: cannot unmarshal number into Go struct field RegisterRequest.Node of type string"),
        (bodies.CATALOG_REGISTER, b'{"Service":{"Port":"x"}}',
         "json: cannot unmarshal string into Go struct field NodeService.Service.Port of type int"),
        (bodies.CATALOG_REGISTER, b'{"Service":{"enable_tag_override":true}}',
         'json: unknown field "enable_tag_override"'),
        (bodies.CATALOG_REGISTER, b'{"Check":{"Definition":{"Interval":"x"}}}',
         'time: invalid duration "x"'),
        (bodies.CATALOG_REGISTER, b'{"Check":{"Definition":{"HTTP":1}}}',
         "json: cannot unmarshal number into Go struct field HealthCheck.Check.Definition of type string"),
        (bodies.CATALOG_DEREGISTER, b'{"Namespace":"a"}',
         'json: unknown field "Namespace" - Namespaces are a Consul Enterprise feature'),
        (definitions.CHECK, b'{"args":[1]}',
         "json: cannot unmarshal number into Go struct field .args of type string"),
        (definitions.CHECK, b'{"CheckID":"c"}', 'json: unknown field "CheckID"'),
        (definitions.CHECK_UPDATE, b'{"Status":1}',
         "json: cannot unmarshal number into Go struct field checkUpdate.Status of type string"),
        (definitions.CHECK_UPDATE, b"[]",
         "json: cannot unmarshal array into Go value of type agent.checkUpdate"),
    ],
)  # fmt: skip
def test_other_bodies_name_their_structs(struct: Any, body: bytes, text: str) -> None:
    with pytest.raises(ApiError) as caught:
        decode(struct, body)
    assert str(caught.value) == f"Request decode failed: {text}"


def test_names_match_in_any_case_and_a_proper_spelling_wins_over_an_alias() -> None:
    found = decode(
        bodies.SERVICE,
        b'{"name":"a","PORT":1,"enable_tag_override":true,"tagged_addresses":{"x":{"port":2}},'
        b'"check":{"deregister_critical_service_after":"90m","args":["x"],"ttl":5000000000}} rest',
    )
    assert found == {
        "Name": "a",
        "Port": 1,
        "EnableTagOverride": True,
        "TaggedAddresses": {"x": {"Port": 2}},
        "Check": {"DeregisterCriticalServiceAfter": 5400.0, "ScriptArgs": ["x"], "TTL": 5.0},
    }
    both = decode(bodies.SERVICE, b'{"EnableTagOverride":true,"enable_tag_override":false}')
    assert both == {"EnableTagOverride": True}


def test_null_is_absent_and_the_last_of_doubles_counts() -> None:
    assert decode(bodies.SERVICE, b"null") == {}
    assert decode(bodies.SERVICE, b'{"Name":"a","Port":null,"Name":"b"}') == {"Name": "b"}


def test_what_an_interval_may_not_be_is_ignored_and_connect_takes_anything() -> None:
    assert decode(bodies.SERVICE, b'{"Check":{"Interval":true},"Connect":{"Bogus":1}}') == {
        "Check": {},
        "Connect": {},
    }


def test_halves_of_surrogates_become_replacement_characters() -> None:
    assert read(b'{"\\ud800":["\\udc00", 1, null]}') == Object(
        (("\ufffd", ["\ufffd", Number("1"), None]),)
    )


@given(
    st.binary(max_size=60)
    | st.text('{}[]",:\\ \n0123456789truefalsn-.eE', max_size=40).map(str.encode)
)
def test_any_bytes_are_a_value_or_a_refusal(data: bytes) -> None:
    with contextlib.suppress(BadJson):
        read(data)
