import pytest

from sidecar.errors import ApiError
from sidecar.web.consul.query import Wait, cleaned_path, conflict, flag, read_options, unsigned

NAMESPACES = (
    'Bad request: Invalid query parameter: "ns" - Namespaces are a Consul Enterprise feature'
)


@pytest.mark.parametrize(
    ("query", "index", "seconds"),
    [
        ({}, 0, 300.0),
        ({"index": "", "wait": ""}, 0, 300.0),
        ({"index": "7", "wait": "1m30s"}, 7, 90.0),
        ({"wait": "525s"}, 0, 525.0),
        ({"wait": "24h"}, 0, 600.0),
        ({"wait": "0"}, 0, 300.0),
        ({"index": str(2**64 - 1)}, 2**64 - 1, 300.0),
    ],
)
def test_wait_is_read_as_consul_does(query: dict[str, str], index: int, seconds: float) -> None:
    assert Wait.of(query) == Wait(index, seconds)


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ({"index": "abc"}, 400, "Invalid index"),
        ({"index": "-1"}, 400, "Invalid index"),
        ({"index": "٣"}, 400, "Invalid index"),
        ({"index": str(2**64)}, 400, "Invalid index"),
        ({"index": "9" * 5000}, 400, "Invalid index"),
        ({"wait": "10"}, 400, "Invalid wait time"),
        ({"wait": "bad"}, 400, "Invalid wait time"),
        ({"wait": "-1s"}, 400, "Invalid wait time"),
        (
            {"stale": "", "consistent": ""},
            400,
            "Cannot specify ?stale with ?consistent, conflicting semantics.",
        ),
        (
            {"ns": "x"},
            400,
            NAMESPACES,
        ),
        ({"dc": "dc2"}, 500, "No path to datacenter"),
    ],
)
def test_wrong_parameters_of_a_read_are_refused(
    query: dict[str, str], status: int, text: str
) -> None:
    with pytest.raises(ApiError) as caught:
        read_options(query, "dc1")
    assert (caught.value.status, str(caught.value)) == (status, text)


def test_the_own_datacenter_and_one_consistency_are_fine() -> None:
    assert read_options({"dc": "dc1", "stale": "", "token": "x"}, "dc1").index == 0
    assert read_options({"dc": "", "consistent": ""}, "dc1").index == 0


def test_flags_that_exclude_each_other_are_shown_sorted() -> None:
    conflict({"cas": "0", "flags": "1"}, ("cas", "acquire"))
    with pytest.raises(ApiError, match=r"^Conflicting flags: acquire=a\+b&cas=0$"):
        conflict({"cas": "0", "acquire": "a b"}, ("cas", "acquire"))


def test_numbers_have_64_bits() -> None:
    assert unsigned(str(2**64 - 1)) == 2**64 - 1
    for text, said in [
        ("bogus", 'strconv.ParseUint: parsing "bogus": invalid syntax'),
        ("", 'strconv.ParseUint: parsing "": invalid syntax'),
        ("+1", 'strconv.ParseUint: parsing "+1": invalid syntax'),
        (str(2**64), f'strconv.ParseUint: parsing "{2**64}": value out of range'),
        ("1" * 30, f'strconv.ParseUint: parsing "{"1" * 30}": value out of range'),
    ]:
        with pytest.raises(ApiError) as caught:
            unsigned(text)
        assert (caught.value.status, str(caught.value)) == (500, said)


def test_a_flag_is_set_by_being_there() -> None:
    assert [flag(value) for value in (None, "", "true", "1", "0", "false")] == [
        False, True, True, True, False, False,
    ]  # fmt: skip
    with pytest.raises(ApiError):
        flag("perhaps")


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/v1/kv//lead", "/v1/kv/lead"),
        ("/v1/kv/a/../b", "/v1/kv/b"),
        ("/v1/kv/./a/", "/v1/kv/a/"),
        ("/v1/kv/", "/v1/kv/"),
        ("/v1/../../..", "/"),
        ("/v1/kv/..a/.b", "/v1/kv/..a/.b"),
        ("//v1", "/v1"),
    ],
)
def test_paths_are_cleaned_like_gos_mux_does(path: str, clean: str) -> None:
    assert cleaned_path(path) == clean
