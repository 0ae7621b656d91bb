"""Template resources: keys, types, modes, prefixes; odd ones are told with their place."""

import pytest

from sidecar.errors import ConfigError
from templater.confd.numbers import parse_uint
from templater.confd.resource import Read, Resource, read_resource


def read(body: str, prefix: str = "", *, is_joined: bool = False) -> Read:
    return read_resource(f"[template]\n{body}\n", "r.toml", prefix=prefix, is_joined=is_joined)


MINIMUM = 'src = "s"\ndest = "/d"\n'


def test_the_defaults_are_confds() -> None:
    assert read(MINIMUM) == (Resource(name="r.toml", src="s", dest="/d"), ())


def test_everything_can_be_said() -> None:
    found = read(
        MINIMUM
        + 'keys = ["a", "/b/"]\nprefix = "app"\nmode = "0640"\nuid = 1\ngid = 2\nowner = "o"\n'
        'group = "g"\ncheck_cmd = "c {{.src}}"\nreload_cmd = "r"\ncheck_cmd_timeout = "1s"\n'
        'reload_cmd_timeout = "2m"\nmin_reload_interval = "5s"\ndebounce = "100ms"\n'
        'output_format = "json"\nmin_keys = 3\nreload_group = "lb"\n[backend]\nbackend = "env"'
    )
    assert found.warnings == ()
    assert found.resource == Resource(
        name="r.toml", src="s", dest="/d", prefix="/app", keys=("/app/a", "/app/b"), mode=0o640,
        uid=1, gid=2, owner="o", group="g", check_cmd="c {{.src}}", reload_cmd="r",
        check_timeout=1.0, reload_timeout=120.0, min_reload_interval=5.0, debounce=0.1,
        output_format="json", min_keys=3, reload_group="lb", backend={"backend": "env"},
    )  # fmt: skip


def test_the_table_and_its_keys_are_found_whatever_their_case() -> None:
    text = '[Template]\nSRC = "s"\nDest = "/d"\n[BackEnd]\nbackend = "env"\n'
    found = read_resource(text, "r.toml", prefix="", is_joined=False)
    assert found.resource == Resource(name="r.toml", src="s", dest="/d", backend={"backend": "env"})


def test_the_global_prefix_replaces_or_joins() -> None:
    body = MINIMUM + 'keys = ["k"]\nprefix = "app"'
    assert read(body, "/g").resource.keys == ("/g/k",)
    assert read(body, "/g", is_joined=True).resource.keys == ("/g/app/k",)


def test_an_unknown_key_is_a_warning_with_its_place() -> None:
    assert read(MINIMUM + "reloadcmd = 1").warnings == ("r.toml:4:1: unknown key 'reloadcmd'",)


def test_a_decimal_mode_is_taken_as_confd_does_and_told() -> None:
    found = read(MINIMUM + 'mode = "644"')
    assert found.resource.mode == 0o204
    assert found.warnings == (
        'r.toml:4:1: mode "644" is decimal and means 0204; write "0644" for octal',
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('dest = "/d"', "empty src template"),
        ('src = "s"', "empty dest"),
        (MINIMUM + 'mode = "rw"', 'strconv.ParseUint: parsing "rw": invalid syntax'),
        (MINIMUM + 'uid = "root"', "uid must be a whole number"),
        (MINIMUM + "uid = true", "uid must be a whole number"),
        (MINIMUM + "keys = [1]", "keys must be a list of texts"),
        (MINIMUM + 'keys = "/"', "keys must be a list"),
        (MINIMUM + 'debounce = "soon"', "r.toml:4:1: time: invalid duration"),
        (MINIMUM + 'output_format = "ini"', "must be one of json yaml yml toml xml"),
        ("src = ", "r.toml:2:"),
    ],
)
def test_a_mistake_is_told_with_its_place(body: str, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(body)
    assert words in str(raised.value)


def test_a_file_without_the_table_has_no_source() -> None:
    with pytest.raises(ConfigError, match="empty src template"):
        read_resource("x = 1\n", "r.toml", prefix="", is_joined=False)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0644", 0o644), ("0o644", 0o644), ("0x1a4", 0o644), ("0b110", 6), ("644", 644), ("0", 0),
     ("1_000", 1000)],
)  # fmt: skip
def test_numbers_are_gos(text: str, value: int) -> None:
    assert parse_uint(text) == value


@pytest.mark.parametrize("text", ["", "08", "-1", "1_", "1__0", "x", "0xg"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid syntax"):
        parse_uint(text)


def test_a_number_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="value out of range"):
        parse_uint("4294967296")
