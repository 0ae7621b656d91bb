"""Paths of keys as Go's package path has them, and prefixes of both dialects."""

import pytest

from templater.confd.paths import base, clean, compiled, directory, full_prefix, join, key_in


@pytest.mark.parametrize(
    ("path", "cleaned"),
    [("", "."), ("/", "/"), ("//a//b/", "/a/b"), ("/a/./b/../c", "/a/c"), ("../a/..", ".."),
     ("/../a", "/a"), ("a/../..", ".."), (".", ".")],
)  # fmt: skip
def test_a_path_is_cleaned_as_go_does(path: str, cleaned: str) -> None:
    assert clean(path) == cleaned


@pytest.mark.parametrize(
    ("path", "last", "before"),
    [("/a/b", "b", "/a"), ("", ".", "."), ("/", "/", "/"), ("a", "a", "."), ("a/b/", "b", "a/b")],
)
def test_base_and_dir_are_gos(path: str, last: str, before: str) -> None:
    assert (base(path), directory(path)) == (last, before)


def test_empty_parts_do_not_count_when_joined() -> None:
    assert join("", "") == ""
    assert join("/p", "", "/k/") == "/p/k"


@pytest.mark.parametrize(
    ("given", "resource", "confd", "fork"),
    [("", "", "/", "/"), ("", "app", "/app", "/app"), ("/g", "app", "/g", "/g/app"),
     ("g", "/", "/g", "/g")],
)  # fmt: skip
def test_the_global_prefix_replaces_or_is_joined(
    given: str, resource: str, confd: str, fork: str
) -> None:
    assert full_prefix(given, resource, is_joined=False) == confd
    assert full_prefix(given, resource, is_joined=True) == fork


def test_templates_see_keys_without_the_prefix() -> None:
    assert key_in("/app", "/app/a//b") == "/a/b"
    assert key_in("/", "/a") == "/a"
    assert key_in("/app", "/other") == "/other"


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("/a/*", "/a/b", "/a/b/c"),
        ("/a/?", "/a/b", "/a/"),
        ("/[a-c]x", "/bx", "/dx"),
        ("/[^a]x", "/bx", "/ax"),
        ("/[a-cx]", "/x", "/d"),
        (r"/\*", "/*", "/a"),
        (r"/[\]]", "/]", "/a"),
        ("/[^z-a]", "/q", "/"),
        ("/a.b", "/a.b", "/axb"),
        ("/a\nb", "/a\nb", "/a"),
    ],
)
def test_a_pattern_matches_as_path_match(pattern: str, yes: str, no: str) -> None:
    assert compiled(pattern).fullmatch(yes)
    assert not compiled(pattern).fullmatch(no)


def test_a_range_the_wrong_way_round_matches_nothing() -> None:
    assert not compiled("[z-a]").fullmatch("m")


@pytest.mark.parametrize("pattern", ["[", "[]a]", "[a", "[a-", "[-]", "a\\", "[^", "[a-]", "[\\"])
def test_a_malformed_pattern_is_gos_error(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"^syntax error in pattern$"):
        compiled(pattern)
