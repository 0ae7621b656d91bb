"""Commands: outcome, limits, environment. Real processes, because nothing else would tell."""

import asyncio
import os
import pwd
import signal
from pathlib import Path

import pytest

from sidecar.errors import RenderError
from sidecar.runtime.command import Command, as_user, run, shell, without_secrets

ENV = {"PATH": os.environ["PATH"]}


async def test_a_command_that_ends_well() -> None:
    outcome = await run(shell("echo out; echo err >&2"), ENV)
    assert outcome.is_good
    assert outcome.output == "out\nerr\n"


@pytest.mark.parametrize(
    ("script", "words"), [("exit 3", "exit status 3"), ("kill -TERM $$", "signal: terminated")]
)
async def test_a_command_that_fails_says_how(script: str, words: str) -> None:
    outcome = await run(shell(script), ENV)
    assert not outcome.is_good
    assert str(outcome) == words


async def test_what_cannot_be_started_is_an_outcome_too() -> None:
    outcome = await run(Command(("/nonexistent/program",)), ENV)
    assert "cannot run /nonexistent/program" in str(outcome)


async def test_the_whole_group_is_killed_after_the_time(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    outcome = await run(shell(f"sleep 60 & echo $! > {pid}; echo begun; wait", 1.0), ENV)
    assert str(outcome) == "killed after 1 s"
    assert outcome.output == "begun\n"
    child = int(await asyncio.to_thread(pid.read_text))
    for _ in range(200):
        if not _lives(child):
            break
        await asyncio.sleep(0.01)
    assert not _lives(child)


async def test_a_daemon_that_a_command_started_is_left_and_not_waited_for() -> None:
    before = _open_files()
    async with asyncio.timeout(5):
        outcome = await run(shell("{ sleep 0.2; echo later; exec sleep 30; } & echo $!"), ENV)
    assert outcome.is_good
    daemon = int(outcome.output)
    await asyncio.sleep(0.3)
    assert _lives(daemon), "what it writes later does not end it"
    os.kill(daemon, signal.SIGKILL)
    for _ in range(200):
        if _open_files() == before:
            break
        await asyncio.sleep(0.01)
    assert _open_files() == before


async def test_a_cancelled_run_leaves_no_process(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    async with asyncio.TaskGroup() as group:
        task = group.create_task(run(shell(f"echo $$ > {pid}; sleep 60"), ENV), name="run")
        while not await asyncio.to_thread(lambda: pid.exists() and pid.read_text()):
            await asyncio.sleep(0.01)
        task.cancel()
    assert not _lives(int(await asyncio.to_thread(pid.read_text)))


async def test_output_is_bounded_and_its_end_is_kept() -> None:
    outcome = await run(shell("head -c 1000000 /dev/zero | tr '\\0' x; echo; echo end"), ENV)
    assert len(outcome.output) == 64 * 1024
    assert outcome.output.endswith("\nend\n")


def test_a_command_shows_as_it_was_written() -> None:
    assert str(shell("a | b")) == "a | b"
    assert str(Command(("nginx", "-t"))) == "nginx -t"


def test_secrets_stay_behind() -> None:
    environ = {
        "PATH": "/bin", "VAULT_TOKEN": "x", "CONSUL_HTTP_TOKEN": "x", "db_password": "x",
        "AWS_SECRET_ACCESS_KEY": "x", "CONFD_CLIENT_KEY": "x", "CONSUL_HTTP_AUTH": "x",
        "REDIS_AUTH": "x", "AUTHOR": "me", "KEYS": "abc", "API_KEY": "x", "PRIVATE_KEY": "x",
    }  # fmt: skip
    assert without_secrets(environ) == {"PATH": "/bin", "AUTHOR": "me", "KEYS": "abc"}


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_who_we_are_already_needs_no_change() -> None:
    mine = pwd.getpwuid(os.geteuid()).pw_name
    assert as_user(mine, ("a", "b")) == ("a", "b")
    with pytest.raises(RenderError, match="run_as: the user 'no-such-user' is not known here"):
        as_user("no-such-user", ("a",))
    other = "nobody" if mine != "nobody" else "root"
    words = as_user(other, ("a", "b"))
    assert words[0] == "setpriv"
    assert words[-3:] == ("--", "a", "b")
    assert f"--reuid={pwd.getpwnam(other).pw_uid}" in words
