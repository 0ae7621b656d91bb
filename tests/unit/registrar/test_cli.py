"""What the registrar alone says and returns, by the name it is called by."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from registrar import cli
from registrar.options import Options
from sidecar import __version__
from sidecar.errors import ConfigError, StoreUnavailable
from sidecar.runtime import log

URI = "consul://127.0.0.1:8500"
STAMP = re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ", re.MULTILINE)


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger(log.ROOT)
    before = (root.handlers[:], root.level, ours.level)
    yield
    root.handlers[:], level, own = before
    root.setLevel(level)
    ours.setLevel(own)


def called(*words: str, program: str = "registrator", **environ: str) -> tuple[int, list[Options]]:
    seen: list[Options] = []

    def run(options: Options) -> int:
        seen.append(options)
        return 0

    return cli.main(program, words, environ, run), seen


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    text = capsys.readouterr().err
    assert len(STAMP.findall(text)) == len(text.splitlines())
    return STAMP.sub("", text).splitlines()


def test_the_version_is_printed_only_when_it_is_asked_for_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert called("--version") == (0, [])
    assert capsys.readouterr() == (f"{__version__}\n", "")
    assert called("--version", URI)[0] == 2


def test_as_registrator_it_starts_with_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    status, (options,) = called("-ip", "10.0.0.1", URI, DOCKER_HOST="unix:///run/d.sock")
    assert (status, options.docker.url) == (0, "unix:///run/d.sock")
    assert told(capsys) == [
        f"Starting registrator {__version__} ...",
        "Forcing host IP to 10.0.0.1",
    ]


def test_events_become_the_lines_that_people_grep_for(capsys: pytest.CaptureFixture[str]) -> None:
    called(URI)
    logger = log.get_logger("registrar")
    logger.debug("syncing", action="syncing", containers=3)
    logger.debug("not shown")
    logger.info("instance registered", action="added", container="0123456789abcdef", id="v:b:80")
    logger.warning("label problem", container="box", text="a b")
    assert told(capsys)[1:] == [
        "Syncing services on 3 containers",
        "added: 0123456789ab v:b:80",
        'label problem container=box text="a b"',
    ]


@pytest.mark.parametrize("program", ["registrar", "registrator"])
def test_wrong_usage_shows_the_flags(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words, text in (((), "Missing required argument"), (("-x",), "flag provided but not")):
        assert called(*words, program=program) == (2, [])
        said = capsys.readouterr().err
        assert text in said
        assert f"\nUsage of {program}:\n" in said
    assert called("-h", program=program) == (0, [])


def test_what_cannot_work_is_one_line_and_status_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert called("foo:") == (1, [])
    assert told(capsys)[1:] == ["unrecognized adapter: foo:"]
    assert called("foo:", program="registrar") == (1, [])
    assert capsys.readouterr().err == "registrar: unrecognized adapter: foo:\n"


def test_a_wrong_variable_is_fatal_as_there_and_a_configuration_mistake_with_us(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert called(URI, DOCKER_HOST="ftp://x") == (1, [])
    assert told(capsys)[1].startswith("environment DOCKER_HOST: ftp:// is not supported")
    with pytest.raises(ConfigError):
        called(URI, program="registrar", DOCKER_HOST="ftp://x")


def test_a_store_that_is_away_is_one_line_and_status_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(_: Options) -> int:
        raise StoreUnavailable("consul: refused\nhere")

    assert cli.main("registrator", [URI], {}, run) == 1
    assert told(capsys)[1:] == ["consul: refused; here"]


def test_a_file_gives_settings_and_stores(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text('[registrar]\nstores = ["etcd://e"]\nttl = 30\nttl_refresh = 10\n')
    status, (options,) = called("-config", str(file), program="registrar")
    assert (status, options.stores, options.settings.ttl) == (0, ("etcd://e",), 30.0)
