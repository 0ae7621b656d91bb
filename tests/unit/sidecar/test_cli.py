"""The pinnace command: messages, exit statuses, names it is called by, and how fast it starts."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sidecar import __version__, app, cli
from sidecar.config.keys import KEYS, OPTIONS
from sidecar.config.load import Loaded
from sidecar.errors import StoreCorrupt

PROGRAM = [sys.executable, "-m", "sidecar.cli"]


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments], capture_output=True, text=True, env=environ, timeout=30, check=False
    )


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*[key.variable for key in KEYS.values()], "DOCKER_HOST", "PINNACE_CONFIG"):
        monkeypatch.delenv(name, raising=False)


# --- as a process ------------------------------------------------------------------------------


def test_the_version_is_printed_by_option_and_by_command() -> None:
    for argument in ("--version", "version"):
        done = run(argument)
        assert (done.returncode, done.stdout) == (0, f"pinnace {__version__}\n")


def test_without_arguments_the_help_is_shown_and_the_status_is_usage() -> None:
    done = run()
    assert done.returncode == 2
    assert "commands:" in done.stderr
    assert done.stdout == ""


def test_three_mistakes_in_a_file_are_all_reported_with_their_places(tmp_path: Path) -> None:
    path = tmp_path / "pinnace.toml"
    path.write_text("[dns]\nlistn = ':53'\ndomain = consul\n\n[docker]\nping = 0\n")
    for command in ("up", "validate", "explain"):
        done = run(command, "-c", str(path))
        assert done.returncode == 78
        assert done.stdout == ""
        assert done.stderr.splitlines() == [
            f"{path}:2:1: unknown key 'listn' in [dns]; did you mean listen?",
            f"{path}:3:10: invalid value; text must be in quotes",
            f"{path}:6:1: docker.ping: must be more than 0",
            "pinnace: 3 mistakes in the configuration",
        ]


def test_a_wrong_flag_value_is_a_mistake_in_the_configuration_not_in_usage() -> None:
    done = run("validate", "--http", "8500")
    assert done.returncode == 78
    assert done.stderr.splitlines() == [
        "--http: '8500' has no port; write ADDR:PORT, for example 127.0.0.1:8500",
        "pinnace: 1 mistake in the configuration",
    ]


def test_called_by_another_programs_name_it_takes_that_programs_command_line(
    tmp_path: Path,
) -> None:
    link = tmp_path / "registrator"
    link.symlink_to(Path(cli.__file__))
    environ = {"PYTHONPATH": str(Path(cli.__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, str(link), "-internal", "consol://localhost:8500"],
        capture_output=True,
        text=True,
        env=environ,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    started, refused = done.stderr.splitlines()
    assert started.endswith(f" Starting registrator {__version__} ...")
    assert refused.endswith(" unrecognized adapter: consol://localhost:8500")


def test_a_part_may_be_called_by_pinnace_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["pinnace", "registrar", "consol:"]) == 1
    assert capsys.readouterr().err == "registrar: unrecognized adapter: consol:\n"


def test_import_prints_what_equals_another_programs_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["pinnace", "import", "registrator", "-ip", "192.0.2.1", "consul://h"]) == 0
    assert 'stores = ["consul://h"]' in capsys.readouterr().out
    assert cli.main(["pinnace", "import", "registrator", "-x"]) == 1
    assert capsys.readouterr().err == "pinnace: flag provided but not defined: -x\n"
    for words, status in ((["import"], 2), (["import", "x"], 2), (["import", "--help"], 0)):
        assert cli.main(["pinnace", *words]) == status
        assert capsys.readouterr().err.startswith("usage: pinnace import PROGRAM")


def test_the_version_needs_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "sidecar.cli", "--version"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        # What measures coverage in child processes would be counted too.
        env={k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")},
    )
    loaded = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if "|" in line}
    heavy = {
        *("aiohttp", "msgspec", "prometheus_client", "uvloop"),
        *("asyncio", "logging", "socket", "tomllib", "typing_extensions"),
    }
    assert "argparse" in loaded
    assert heavy & loaded == set()


# --- in this process ---------------------------------------------------------------------------


def test_every_mistake_is_a_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["pinnace", "validate", "--http", "x", "--dns", "y"]) == 78
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 3)


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["pinnace"]) == 2
    assert capsys.readouterr().err.startswith("usage: pinnace ")


def test_version_prints_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["pinnace", "version"]) == 0
    assert capsys.readouterr().out == f"pinnace {__version__}\n"


def test_validate_says_ok(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["pinnace", "validate", "--lb", "none"]) == 0
    assert capsys.readouterr().out == "ok\n"


def test_explain_shows_value_and_origin(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PINNACE_DNS__DOMAIN", "example.org")
    assert cli.main(["pinnace", "explain", "--dns", ":53", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["dns.listen"] == {"value": ":53", "origin": "flag --dns"}
    assert told["dns.domain"]["origin"] == "environment PINNACE_DNS__DOMAIN"
    assert cli.main(["pinnace", "explain"]) == 0
    assert "key " in capsys.readouterr().out


def test_up_hands_all_flags_to_the_composition_root(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "--docker": "tcp://192.0.2.1:2375", "--store": "embedded:", "--state-dir": "/var/lib/p",
        "--ip": "192.0.2.7", "--domain": "example.org", "--http": ":1", "--dns": ":2",
        "--lb": "none", "--lb-listen": ":3", "--log-format": "json", "--log-level": "debug",
        "--stack": "/s.yaml", "--nodes": "/n.toml",
    }  # fmt: skip
    assert {*values, "--recover"} == OPTIONS.keys()
    seen: list[Loaded] = []

    def fake(loaded: Loaded, reload: Callable[[], Loaded]) -> int:
        seen.extend((loaded, reload()))
        return 7

    monkeypatch.setattr(app, "main", fake)
    words = ["--recover", *[word for pair in values.items() for word in pair]]
    assert cli.main(["pinnace", "up", *words]) == 7
    loaded, again = seen
    assert again == loaded
    for flag, option in OPTIONS.items():
        assert str(loaded.origins[option.key]) == f"flag {flag}"
    assert loaded.settings.registrar.ip == "192.0.2.7"
    assert loaded.settings.store.recover is True


def test_an_error_on_purpose_is_one_line_and_its_own_exit_status(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_loaded: Loaded, _reload: Callable[[], Loaded]) -> int:
        raise StoreCorrupt("the journal is torn")

    monkeypatch.setattr(app, "main", broken)
    assert cli.main(["pinnace", "up"]) == 65
    assert capsys.readouterr().err == "pinnace: the journal is torn\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["upp"], "pinnace: error: there is no command 'upp'; did you mean up?"),
        (["banana"], "pinnace: error: there is no command 'banana'"),
        (["--versoin"], "pinnace: error: there is no option '--versoin'; did you mean --version?"),
        (
            ["up", "--dokcer=x"],
            "pinnace up: error: there is no option '--dokcer'; did you mean --docker?",
        ),
        (["up", "--jso"], "pinnace up: error: there is no option '--jso'"),
        (["up", "x"], "pinnace up: error: unexpected argument 'x'"),
        (["up", "--http"], "pinnace up: error: argument --http: expected one argument"),
        (["healthcheck", "--dns", ":1"], "pinnace healthcheck: error: there is no option '--dns'"),
    ],
)
def test_a_usage_error_names_the_nearest_and_has_status_two(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["pinnace", *arguments])
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == message


def test_help_of_each_option_names_key_variable_and_default(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit):
        cli.main(["pinnace", "up", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for option in OPTIONS.values():
        key = KEYS[option.key]
        start = text.index(f" {option.flag} {option.metavar} {option.meaning} ".replace("  ", " "))
        told = text[start : text.index("]", start)]
        assert f"[{option.key}, {key.variable}; default: " in told
        assert told.endswith(str(key.default or "none"))
