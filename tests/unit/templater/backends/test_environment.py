"""Variables as keys, as confd names them."""

import pytest

from templater.backends.environment import EnvironmentBackend

ENVIRON = {"A_B": "1", "A_BX": "2", "A_B__C": "3", "a_b_d": "4", "OTHER": "5"}


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("/a/b", {"/a/b": "1", "/a/bx": "2", "/a/b//c": "3"}),
        ("/nope", {}),
        ("/other", {"/other": "5"}),
    ],
)
async def test_every_variable_that_begins_so_is_found(key: str, found: dict[str, str]) -> None:
    assert await EnvironmentBackend(ENVIRON).read([key]) == found


async def test_a_doubled_underscore_can_be_one_of_the_key() -> None:
    backend = EnvironmentBackend(ENVIRON, escape=True)
    assert await backend.read(["/a/b_c"]) == {"/a/b_c": "3"}


async def test_it_is_watched_once() -> None:
    stream = EnvironmentBackend(ENVIRON).watch("/other")
    assert await anext(stream) == {"/other": "5"}
    await stream.aclose()
