"""Command lines: what is done at once, what is refused, and which components are made."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from adapter import cli, running
from adapter.http import cli as http_cli
from adapter.statsd import cli as statsd_cli
from adapter.statsd.component import Statsd
from adapter.statsd.flags import parse
from adapter.statsd.mapping import Mapping
from adapter.statsd.options import options_of
from adapter.statsd.web import StatsdRoutes
from sidecar import __version__
from sidecar import cli as pinnace
from sidecar.errors import ConfigError
from sidecar.runtime.component import Component
from sidecar.web.lean.request import read_head

GOOD = "mappings: [{match: a.*, name: x}]"
TARGETS = "targets: [{url: 'http://127.0.0.1:1/', rules: [{path: a, name: a}]}]"


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    file = tmp_path / "m.yml"
    file.write_text(GOOD)
    return file


@pytest.fixture
def targets(tmp_path: Path) -> Path:
    file = tmp_path / "t.yml"
    file.write_text(TARGETS)
    return file


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the components that would run."""
    names: list[str] = []

    def run(components: Sequence[Component], *, is_busy: bool) -> int:
        assert is_busy == any(component.name == "statsd" for component in components)
        names.extend(component.name for component in components)
        return 0

    monkeypatch.setattr(running, "run", run)
    return names


def test_without_a_kind_the_kinds_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main("adapter", []) == 2
    assert "usage: adapter KIND" in capsys.readouterr().err
    assert cli.main("adapter", ["-h"]) == 0
    assert all(kind in capsys.readouterr().out for kind in ("statsd",))


@pytest.mark.parametrize("words", [["snmp"], ["http", "x", "and", "snmp"], ["and"]])
def test_a_kind_that_there_is_not_is_refused(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], targets: Path
) -> None:
    words = [str(targets) if word == "x" else word for word in words]
    assert cli.main("adapter", words) == 2
    assert "there is no adapter" in capsys.readouterr().err


def test_pinnace_finds_it_by_each_name(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (
        ["statsd_exporter", "--version"],
        ["pinnace", "statsd_exporter", "--version"],
        ["pinnace", "adapter", "statsd", "--version"],
        ["adapter", "statsd", "--version"],
    ):
        assert pinnace.main(argv) == 0
        assert f"version {__version__}" in capsys.readouterr().out


def test_each_kind_runs_its_component_and_a_web_server(
    ran: list[str], mapping: Path, targets: Path
) -> None:
    assert cli.main("adapter", ["statsd", f"--statsd.mapping-config={mapping}"]) == 0
    assert cli.main("adapter", ["http", str(targets)]) == 0
    assert cli.main("statsd_exporter", []) == 0
    assert ran == ["statsd", "statsd web", "http", "http web", "statsd", "statsd web"]


def test_several_kinds_are_one_process(ran: list[str], targets: Path) -> None:
    assert cli.main("adapter", ["statsd", "and", "http", str(targets)]) == 0
    assert ran == ["statsd", "statsd web", "http", "http web"]


def test_what_is_done_at_once_ends_several_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main("adapter", ["statsd", "-h", "and", "statsd"]) == 0
    assert "--statsd.listen-udp" in capsys.readouterr().out


def test_wrong_usage_is_told_with_the_status_of_the_program(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert statsd_cli.prepared("adapter statsd", ["--x"]) == 2
    assert statsd_cli.prepared("statsd_exporter", ["--x"]) == 1
    assert "error: unknown long flag '--x', try --help" in capsys.readouterr().err


def test_a_wrong_mapping_is_told_with_the_status_of_the_program(
    mapping: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mapping.write_text("mappings: [{}]")
    flag = f"--statsd.mapping-config={mapping}"
    with pytest.raises(ConfigError):
        statsd_cli.prepared("adapter statsd", [flag])
    assert statsd_cli.prepared("statsd_exporter", [flag, "--log.format=json"]) == 1
    assert "mappings[0]: needs a name" in capsys.readouterr().err


@pytest.mark.parametrize("data", [None, b"\xff"])
def test_a_mapping_that_cannot_be_read_is_told(mapping: Path, data: bytes | None) -> None:
    if data is None:
        mapping.unlink()
    else:
        mapping.write_bytes(data)
    with pytest.raises(ConfigError, match="cannot be read"):
        statsd_cli.prepared("adapter statsd", [f"--statsd.mapping-config={mapping}"])
    with pytest.raises(ConfigError, match="cannot be read"):
        http_cli.prepared("adapter http", [str(mapping)])


def test_a_mapping_can_be_checked_explained_and_drawn(
    mapping: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mapping.write_text("mappings: [{match: a.*, name: x, timer_type: histogram}]")
    flag = f"--statsd.mapping-config={mapping}"
    dot = tmp_path / "g.dot"
    assert (
        statsd_cli.prepared("adapter statsd", [flag, "--check-config", f"--debug.dump-fsm={dot}"])
        == 0
    )
    assert 'label="a"' in dot.read_text()
    assert "timer_type is an old name" in capsys.readouterr().err
    assert statsd_cli.prepared("adapter statsd", [flag, "--explain", "a.b:1|ms"]) == 0
    assert "a.* -> x" in capsys.readouterr().out
    nowhere = ["--debug.dump-fsm=/no/where", "--check-config"]
    assert statsd_cli.prepared("adapter statsd", nowhere) == 0
    assert "cannot write the patterns" in capsys.readouterr().err


def test_without_an_address_nothing_can_be_received(capsys: pytest.CaptureFixture[str]) -> None:
    none = ["--statsd.listen-udp=", "--statsd.listen-tcp="]
    assert statsd_cli.prepared("statsd_exporter", none) == 1
    assert "needs an address" in capsys.readouterr().err


def test_the_file_of_targets_can_be_checked(
    targets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert http_cli.prepared("adapter http", [str(targets), "--check"]) == 0
    assert capsys.readouterr().out == "ok: 1 targets\n"


@pytest.mark.parametrize(
    ("words", "status"), [(["-h"], 0), ([], 2), (["f", "--listen", "x"], 2), (["f", "--zz"], 2)]
)
def test_wrong_usage_of_http(
    words: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert http_cli.prepared("adapter http", words) == status
    assert capsys.readouterr() != SimpleNamespace(out="", err="")


async def test_metrics_may_be_the_first_page() -> None:
    statsd = Statsd(options_of(parse([])), Mapping())
    answer = StatsdRoutes(statsd, "/", has_lifecycle=False).routes()
    found = await answer(read_head(b"GET / HTTP/1.1"))
    assert found.kind.startswith("text/plain; version=0.0.4")
    assert (await answer(read_head(b"GET /-/ready HTTP/1.1"))).status == 200
    assert (await answer(read_head(b"POST /-/quit HTTP/1.1"))).status == 404
