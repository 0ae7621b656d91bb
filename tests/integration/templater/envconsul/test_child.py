"""The child's life beside a real Consul: started, told of changes, ended, its end ours."""

import signal
import time
from pathlib import Path

import pytest

from tests.support.envconsul import Envconsul, put
from tests.support.pace import allowed


def test_changed_value_ends_the_child_and_starts_it_with_the_new_one(
    url: str, program: Envconsul
) -> None:
    put(url, "app/port", "80")
    program.start("-prefix", "app")
    program.wait_for("start port=80")
    put(url, "app/port", "81")
    program.wait_for("start port=80,int,start port=81")
    assert program.environ()["port"] == "81"


def test_same_value_written_again_leaves_the_child_alone(url: str, program: Envconsul) -> None:
    put(url, "app/port", "80")
    program.start("-prefix", "app")
    program.wait_for("start port=80")
    put(url, "app/port", "80")
    put(url, "app/port", "81")
    program.wait_for("start port=80,int,start port=81")


def test_two_prefixes_and_a_deleted_key_are_followed(url: str, program: Envconsul) -> None:
    put(url, "all/port", "1")
    put(url, "own/port", "2")
    put(url, "own/name", "x")
    program.start("-prefix", "all", "-prefix", "own", "-exec-splay", "1ms")
    program.wait_for("start port=2")
    assert program.environ()["name"] == "x"
    put(url, "own/port", None)
    program.wait_for("start port=2,int,start port=1")
    assert program.environ()["name"] == "x"


def test_signal_instead_of_a_restart_when_asked_for(url: str, program: Envconsul) -> None:
    put(url, "app/port", "80")
    program.start("-prefix", "app", "-exec-reload-signal", "SIGUSR1")
    program.wait_for("start port=80")
    put(url, "app/port", "81")
    program.wait_for("start port=80,usr1")


def test_command_instead_of_a_restart_gets_the_new_values_and_is_repeated_until_it_succeeds(
    url: str, program: Envconsul, tmp_path: Path
) -> None:
    put(url, "app/port", "80")
    allowed = tmp_path / "allowed"
    command = f'echo "command port=$port" >>{program.child_log}; test -e {allowed}'
    program.start("-prefix", "app", "-exec-reload-command", command)
    program.wait_for("start port=80")
    put(url, "app/port", "81")
    program.wait_for("start port=80,command port=81")
    program.wait_for_log("reload command failed")
    allowed.touch()
    program.wait_for("start port=80,command port=81,command port=81")


def test_burst_is_one_restart_when_it_has_to_be_quiet_first(url: str, program: Envconsul) -> None:
    put(url, "app/port", "80")
    program.start("-prefix", "app", "-wait", "500ms:5s")
    program.wait_for("start port=80", limit=5)
    for value in ("81", "82", "83"):
        put(url, "app/port", value)
        time.sleep(0.15)  # longer than the pause between two answers
    program.wait_for("start port=80,int,start port=83")


def test_value_that_comes_back_in_the_quiet_time_changes_nothing(
    url: str, program: Envconsul
) -> None:
    put(url, "app/port", "80")
    program.start("-prefix", "app", "-wait", "300ms:5s")
    program.wait_for("start port=80")
    put(url, "app/port", "81")
    time.sleep(0.15)
    put(url, "app/port", "80")
    time.sleep(0.15)
    put(url, "app/port", "85")
    program.wait_for("start port=80,int,start port=85")


def test_signals_are_passed_on(url: str, program: Envconsul) -> None:
    put(url, "app/port", "80")
    program.start("-prefix", "app")
    program.wait_for("start port=80")
    program.send(signal.SIGUSR1)
    program.wait_for("start port=80,usr1")
    assert program.is_running()


def test_terminating_ends_the_child_and_its_status_is_ours(url: str, program: Envconsul) -> None:
    put(url, "app/port", "80")
    program.start("-prefix", "app")
    program.wait_for("start port=80")
    program.send(signal.SIGTERM)
    assert program.ended() == 7
    program.wait_for("start port=80,term")


def test_terminating_before_there_is_a_child_ends_at_once(program: Envconsul) -> None:
    program.env["CONSUL_HTTP_ADDR"] = "127.0.0.1:1"
    program.start("-prefix", "app")
    program.wait_for_log("data cannot be read")
    program.send(signal.SIGTERM)
    assert program.ended(3) == 0
    assert program.told() == ""


def test_interrupting_ends_the_child_by_its_signal_with_status_12(
    url: str, program: Envconsul
) -> None:
    put(url, "app/port", "80")
    program.start("-prefix", "app", "-exec-kill-signal", "SIGTERM")
    program.wait_for("start port=80")
    program.send(signal.SIGINT)
    assert program.ended() == 12
    program.wait_for("start port=80,term")


def test_child_that_does_not_end_is_killed_after_the_time_given(
    url: str, program: Envconsul
) -> None:
    put(url, "app/port", "80")
    line = f"trap '' INT; echo start >>{program.child_log}; while :; do sleep 0.02; done"
    program.start("-prefix", "app", "-exec-kill-timeout", "200ms", child=line)
    program.wait_for("start")
    began = time.monotonic()
    program.send(signal.SIGINT)
    assert program.ended() == 12
    assert 0.2 <= time.monotonic() - began < allowed(3)


def test_hanging_up_reads_the_configuration_again_and_a_bad_one_leaves_the_child(
    url: str, program: Envconsul, tmp_path: Path
) -> None:
    put(url, "one/port", "1")
    put(url, "two/port", "2")
    file = tmp_path / "c.hcl"
    file.write_text('prefix {\n  path = "one"\n}\n')
    program.start("-config", str(file))
    program.wait_for("start port=1")
    file.write_text("prefix {\n")
    program.send(signal.SIGHUP)
    program.wait_for_log("configuration not taken")
    assert program.told() == "start port=1\n"
    file.write_text('prefix {\n  path = "two"\n}\n')
    program.send(signal.SIGHUP)
    program.wait_for("start port=1,int,start port=2")


@pytest.mark.parametrize(
    ("line", "status"),
    [("exit 0", 0), ("exit 3", 3), ("nosuch-program", 14), ("kill -9 $$; :", 137)],
)
def test_end_of_the_child_is_ours(program: Envconsul, line: str, status: int) -> None:
    assert program.run("-prefix", "none", line).returncode == status


def test_failing_child_is_started_again_when_asked_for(
    url: str, program: Envconsul, tmp_path: Path
) -> None:
    put(url, "app/port", "80")
    seen = tmp_path / "seen"
    line = f"test -e {seen} && exec sh {program.child}; touch {seen}; exit 5"
    program.start("-prefix", "app", "-exec-restart-on-failure", child=line)
    program.wait_for("start port=80")
    program.wait_for_log("child failed; it is started again")
    put(url, "app/port", "81")
    program.wait_for("start port=80,int,start port=81")


def test_child_that_ends_well_is_not_started_again(program: Envconsul) -> None:
    done = program.run("-prefix", "none", "-exec-restart-on-failure", "exit 0", timeout=5)
    assert done.returncode == 0


def test_pid_file_names_the_program_and_goes_with_it(
    url: str, program: Envconsul, tmp_path: Path
) -> None:
    put(url, "app/port", "80")
    file = tmp_path / "pid"
    program.start("-prefix", "app", "-pid-file", str(file))
    program.wait_for("start port=80")
    assert Path(f"/proc/{file.read_text()}").exists()
    program.send(signal.SIGINT)
    program.ended()
    assert not file.exists()


def test_once_gives_up_when_consul_is_away(program: Envconsul) -> None:
    program.env["CONSUL_HTTP_ADDR"] = "127.0.0.1:1"
    done = program.run(
        "-once", "-prefix", "app", "-consul-retry-attempts", "2", "-consul-retry-backoff", "1ms",
        "env",
    )  # fmt: skip
    assert done.returncode == 14
    assert "data cannot be read" in done.stderr
