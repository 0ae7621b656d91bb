"""Lines in files that are rotated, and in the machine's log, over a real socket."""

import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.errors import ConfigError
from sidecar.runtime import log
from templater.consul_template.log_settings import LogFileSettings, LogSettings, SyslogSettings
from templater.consul_template.logs import RotatedFile, Syslog, configure

SYSLOG = SyslogSettings("ct")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger(log.ROOT)
    before, levels = list(root.handlers), (root.level, ours.level)
    yield
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    for handler in list(root.handlers):
        root.removeHandler(handler)
        if handler not in before:
            handler.close()
    for handler in before:
        root.addHandler(handler)


def _line(text: str, at: float, level: int = logging.INFO) -> logging.LogRecord:
    record = logging.LogRecord("pinnace.x", level, "", 0, text, (), None)
    record.created = at
    return record


def _file(folder: Path, now: float = 1.0, **more: float) -> RotatedFile:
    return RotatedFile(LogFileSettings(str(folder / "ct.log"), **more), now)  # type: ignore[arg-type]


def _texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_a_file_has_the_time_of_its_making_and_only_its_group_may_read_it(tmp_path: Path) -> None:
    file = _file(tmp_path, 1.5)
    file.emit(_line("one", 2.0))
    file.emit(_line("two", 3.0))
    file.close()
    assert _texts(tmp_path) == {"ct-1500000000.log": "one\ntwo\n"}
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "ct-1500000000.log").stat().st_mode & 0o777 == 0o640 & ~mask


def test_a_file_ends_after_so_many_bytes_and_after_so_long(tmp_path: Path) -> None:
    file = _file(tmp_path, 10.0, most_bytes=5, longest=10.0)
    for text, at in (("abc", 12.0), ("def", 13.0), ("ghi", 14.0), ("jkl", 24.0)):
        file.emit(_line(text, at))
    file.close()
    assert list(_texts(tmp_path).values()) == ["abc\ndef\n", "ghi\n", "jkl\n"]


def test_two_files_of_one_moment_are_two(tmp_path: Path) -> None:
    file = _file(tmp_path, most_bytes=1)
    file.emit(_line("a", 1.0))
    file.emit(_line("b", 1.0))
    file.close()
    assert list(_texts(tmp_path).values()) == ["a\n", "b\n"]


@pytest.mark.parametrize(("most", "left"), [(0, 5), (2, 3), (-1, 1)])
def test_old_files_are_removed_and_those_of_others_never(
    tmp_path: Path, most: int, left: int
) -> None:
    foreign = tmp_path / "ct-audit.log"
    foreign.write_text("mine")
    file = _file(tmp_path, most_bytes=1, most_files=most)
    for number in range(5):
        file.emit(_line("x", 100.0 + number))
    file.close()
    assert foreign.read_text() == "mine"
    assert len(_texts(tmp_path)) - 1 == left
    assert "ct-104000000000.log" in _texts(tmp_path)


def test_a_folder_that_goes_away_ends_nothing_and_is_used_again(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    file = _file(folder, most_bytes=1)
    file.emit(_line("a", 2.0))
    folder.rename(tmp_path / "away")
    file.emit(_line("lost", 3.0))
    folder.mkdir()
    file.emit(_line("b", 4.0))
    file.close()
    assert _texts(folder) == {"ct-4000000000.log": "b\n"}


def test_a_file_that_cannot_be_made_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"log_file: .*none/ct.log: No such file"):
        _file(tmp_path / "none")


def test_syslog_gets_priority_name_and_text(tmp_path: Path) -> None:
    place = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(place))
        listening.settimeout(10)
        handler = Syslog(SyslogSettings("ct", "LOCAL5"), [tmp_path / "none", place])
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            handler.emit(_line("text", 1.0, level))
        got = [listening.recv(1000).decode() for _ in range(4)]
    tag = f"ct[{os.getpid()}]: text"
    local5 = 21 * 8
    assert got == [f"<{local5 + priority}>{tag}" for priority in (6, 5, 4, 3)]
    handler.emit(_line("nobody listens", 1.0))  # and nothing is raised
    handler.close()


def test_syslog_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no syslog on this machine"):
        Syslog(SYSLOG, [tmp_path / "none"])
    with pytest.raises(ConfigError, match="invalid syslog facility: LOCAL9"):
        Syslog(SyslogSettings("ct", "LOCAL9"), [])


def test_a_line_goes_to_standard_error_and_to_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(LogSettings("info", LogFileSettings(str(tmp_path / "ct"))), 1.0)
    log.get_logger("x").info("event", key="value")
    log.get_logger("x").debug("not shown")
    configure(LogSettings("info"), 1.0)
    assert "info x: event key=value\n" in "".join(_texts(tmp_path).values())
    shown = capsys.readouterr().err
    assert "info x: event key=value\n" in shown
    assert "not shown" not in shown


def test_a_level_that_is_none_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="log_level: 'loud' is not one of TRACE, DEBUG"):
        configure(LogSettings("loud"), 1.0)


@pytest.mark.parametrize(
    ("tree", "wanted"),
    [
        ({}, LogSettings("WARN")),
        ({"log_level": "ERR"}, LogSettings("ERR")),
        ({"log_file": {"path": "/l/"}}, LogSettings("WARN", LogFileSettings("/l/ct.log"))),
        (
            {"log_file": {"path": "/l/a", "log_rotate_bytes": 1, "log_rotate_duration": 2.0,
                          "log_rotate_max_files": 3}},
            LogSettings("WARN", LogFileSettings("/l/a", 1, 2.0, 3)),
        ),
        ({"syslog": {"facility": "USER"}}, LogSettings(syslog=SyslogSettings("ct", "USER"))),
        ({"syslog": {"enabled": False, "name": "x"}}, LogSettings()),
        ({"syslog": {"enabled": True, "name": "x"}}, LogSettings(syslog=SyslogSettings("x"))),
    ],
)  # fmt: skip
def test_configuration_says_where_logs_go(tree: dict[str, object], wanted: LogSettings) -> None:
    assert LogSettings.of(tree, {}, ("A",), "ct") == wanted
    if "log_level" not in tree:
        assert LogSettings.of(tree, {"A": "info"}, ("A",), "ct").level == "info"
