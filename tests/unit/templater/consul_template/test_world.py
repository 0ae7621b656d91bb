"""Functions that ask the machine: what they give, and what they refuse unless allowed."""

import os
from pathlib import Path

import pytest

from sidecar.runtime.clock import FakeClock
from templater.consul_template.world import path_check, world_functions

ALL = ("plugin", "writeToFile")


def _call(name: str, *words: str, environ: dict[str, str] | None = None) -> object:
    functions = world_functions(environ or {}, FakeClock(1_700_000_000.25), ALL)
    return functions[name](*words)


def test_the_environment_is_read() -> None:
    environ = {"A": "1", "E": ""}
    assert _call("env", "A", environ=environ) == "1"
    assert _call("env", "B", environ=environ) == ""
    assert _call("envOrDefault", "B", "d", environ=environ) == "d"
    assert _call("envOrDefault", "E", "d", environ=environ) == ""
    with pytest.raises(ValueError, match="required environment variable E is empty"):
        _call("mustEnv", "E", environ=environ)
    assert _call("mustEnv", "A", environ=environ) == "1"


def test_the_time_is_told_in_go_layouts() -> None:
    assert _call("timestamp") == "2023-11-14T22:13:20Z"
    assert _call("timestamp", "unix") == "1700000000"
    assert _call("timestamp", "Mon Jan 2 15:04:05.000") == "Tue Nov 14 22:13:20.250"
    with pytest.raises(ValueError, match="timestamp: wrong number of arguments"):
        _call("timestamp", "a", "b")


def test_plugins_run_without_a_shell_and_without_secrets() -> None:
    assert _call("plugin", "echo", "a; b", " ", "$HOME ") == "a; b $HOME"
    assert _call("plugin", "") == ""
    seen = str(_call("plugin", "env", environ={"A_TOKEN": "s", "B": "1"}))
    assert seen == "B=1"
    with pytest.raises(ValueError, match='exec "false": exit status 1'):
        _call("plugin", "false")
    with pytest.raises(ValueError, match='exec "/nope"'):
        _call("plugin", "/nope")


def test_files_are_written_where_that_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    assert _call("writeToFile", str(path), "", "", "0600", "text") == ""
    assert _call("writeToFile", str(path), "", "", "0640", "append,newline", "+") == ""
    assert path.read_text() == "text+\n"
    assert path.stat().st_mode & 0o777 == 0o640
    user = str(os.getuid())
    _call("writeToFile", str(path), user, "root" if user == "0" else "", "0600", "x")
    with pytest.raises(ValueError, match="invalid syntax"):
        _call("writeToFile", str(path), "", "", "9", "x")
    with pytest.raises(ValueError, match="the content is missing"):
        _call("writeToFile", str(path), "", "", "0600")


def test_what_can_harm_is_refused_unless_allowed(tmp_path: Path) -> None:
    functions = world_functions({}, FakeClock())
    for name in ALL:
        with pytest.raises(PermissionError, match=rf"allow_functions = \[\"{name}\"\]"):
            functions[name](str(tmp_path / "x"))


def test_addresses_of_the_machine_are_asked_in_go_sockaddrs_words() -> None:
    assert _call("sockaddr", "GetInterfaceIP", '"lo"') == "127.0.0.1"
    assert _call("sockaddr", 'GetInterfaceIPs "nope"') == ""
    assert isinstance(_call("sockaddr", "GetPrivateIP"), str)
    assert isinstance(_call("sockaddr", "GetPublicIPs"), str)
    with pytest.raises(ValueError, match="sockaddr: GetAll is not supported"):
        _call("sockaddr", "GetAll")


def test_a_sandbox_holds_files_in(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    (inside / "a").touch()
    outside.touch()
    (inside / "link").symlink_to(outside)
    check = path_check(str(inside))
    check(str(inside / "a"))
    path_check("")("/anything")
    for path in (outside, inside / "link", inside / ".." / "out"):
        with pytest.raises(ValueError, match="is outside of sandbox"):
            check(str(path))
    with pytest.raises(ValueError, match="no such file"):
        check(str(inside / "none"))
