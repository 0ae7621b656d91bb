from pathlib import Path

import pytest

from sidecar.errors import ConfigError
from templater.envconsul.loading import inherited, settings_of
from templater.envconsul.options import command_line


def command(folder: Path, *words: str) -> tuple[str, ...]:
    program = folder / "server"
    program.touch(mode=0o755)
    return settings_of(command_line(words), {"PATH": str(folder)})[0].child.command


@pytest.mark.parametrize(
    "line", ["server -w 4 $x", "server 'a b' >/dev/null"], ids=["words", "quotes and a file"]
)
def test_line_of_one_plain_command_replaces_its_shell(tmp_path: Path, line: str) -> None:
    assert command(tmp_path, line) == (f"exec {line}",)


@pytest.mark.parametrize(
    "line",
    ["server a; server b", "server | cat", "x=1 server", "exit 3", "(server a)", "server `date`"],
)
def test_any_other_line_is_the_shells(tmp_path: Path, line: str) -> None:
    assert command(tmp_path, line) == (line,)


def test_single_word_is_found_in_our_own_path(tmp_path: Path) -> None:
    assert command(tmp_path, "server") == (str(tmp_path / "server"),)
    assert command(tmp_path, "other") == ("other",)


def test_token_comes_from_the_agents_file_then_as_given_then_from_home(tmp_path: Path) -> None:
    def token(*words: str, **environ: str) -> object:
        given = command_line(["-secret", "s", *words, "env"])
        return settings_of(given, environ)[0].shared.vault.get("token")

    agent = tmp_path / "agent"
    agent.write_text("agent\n")
    (tmp_path / ".vault-token").write_text("home\n")
    home = {"HOME": str(tmp_path)}
    assert token("-vault-agent-token-file", str(agent), "-vault-token", "flag", **home) == "agent"
    assert token("-vault-token", "flag", **home) == "flag"
    assert token(**home, VAULT_TOKEN="variable") is None  # read where it is used
    assert token(**home) == "home"
    assert token() is None
    assert token(HOME=str(tmp_path / "nowhere")) is None
    with pytest.raises(ConfigError, match="vault_agent_token_file: "):
        token("-vault-agent-token-file", str(tmp_path / "none"))


def test_locale_that_python_added_is_not_inherited(tmp_path: Path) -> None:
    started = tmp_path / "environ"
    ours = {"A": "1", "LC_CTYPE": "C.UTF-8"}
    started.write_bytes(b"A=1\0B=2\0")
    assert inherited(ours, started) == {"A": "1"}
    started.write_bytes(b"A=1\0LC_CTYPE=C.UTF-8\0")
    assert inherited(ours, started) == ours
    assert inherited(ours, tmp_path / "none") == ours
