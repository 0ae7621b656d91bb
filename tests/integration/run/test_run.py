"""``pinnace run``: jobs of real processes, their order, their readiness, their end."""

import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.tools.engine import PrivateEngine
from tests.support.jobs import Jobs
from tests.support.pinnace import Pinnace, until
from tests.support.ports import free_port

Make = Callable[[str], Jobs]


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as stack:
        yield lambda text: stack.enter_context(Jobs(tmp_path, text))


def _job(name: str, script: str, more: str = "") -> str:
    return f"[[job]]\nname = '{name}'\nexec = ['/bin/sh', '-c', '''{script}''']\n{more}\n"


SERVE = (
    "trap 'echo end-$0 >> @/story; exit 0' TERM; echo begin-$0 >> @/story;"
    " while :; do sleep 0.05; done"
)


def _server(name: str, more: str = "") -> str:
    return _job(name, SERVE.replace("$0", name), more)


def test_jobs_start_when_what_they_need_is_ready_and_end_the_other_way_round(jobs: Make) -> None:
    ready = "ready = { file = '@/up' }"
    run = jobs(_server("db", ready) + _server("web", "needs = ['db']"))
    run.start()
    until(lambda: run.story == ["begin-db"])
    time.sleep(0.3)
    assert run.story == ["begin-db"]
    (run.folder / "up").touch()
    until(lambda: run.story == ["begin-db", "begin-web"])
    assert run.stop() == 0
    assert run.story == ["begin-db", "begin-web", "end-web", "end-db"]


@pytest.mark.parametrize("kind", ["tcp", "fd", "health"])
def test_readiness_is_a_port_a_line_in_a_descriptor_or_health(jobs: Make, kind: str) -> None:
    port = free_port()
    how = {
        "tcp": f"ready = {{ tcp = '127.0.0.1:{port}' }}",
        "fd": "ready = { fd = 3 }",
        "health": "health = { exec = 'test -e @/up', interval = '100ms' }",
    }[kind]
    body = {"fd": "while [ ! -e @/up ]; do sleep 0.05; done; echo >&3; sleep 60"}
    run = jobs(_job("db", body.get(kind, "sleep 60"), how) + _server("web", "needs = ['db']"))
    run.start()
    until(lambda: run.count("started job=db"))
    assert run.story == []
    with ExitStack() as stack:
        if kind == "tcp":
            stack.enter_context(socket.create_server(("127.0.0.1", port)))
        (run.folder / "up").touch()
        until(lambda: run.story == ["begin-web"])
    assert ("ready", "db") in run.events()


def test_events_start_jobs_once_or_each_time(jobs: Make) -> None:
    run = jobs(
        _job("main", "exit 3", "restarts = 2")
        + _job("once", "echo once >> @/story", "when = { source = 'main', once = 'exitFailed' }")
        + _job("each", "echo each >> @/story", "when = { source = 'main', each = 'exitFailed' }")
        + _job("never", "echo never >> @/story", "when = { source = 'main', once = 'exitSuccess' }")
    )
    assert run.run().returncode == 1
    assert sorted(run.story) == ["each"] * 3 + ["once"]


def test_an_interval_starts_a_job_again_and_again_each_with_its_time(jobs: Make) -> None:
    run = jobs(
        _job(
            "tick", "echo tick >> @/story; sleep 60", "when = { interval = '200ms' }\nrestarts = 3"
        )
    )
    done = run.run()
    assert run.story == ["tick"] * 4
    assert done.returncode == 1


def test_a_job_whose_event_does_not_come_gives_up(jobs: Make) -> None:
    run = jobs(
        _job("main", "sleep 1")
        + _job("late", "exit 0", "when = { source = 'main', once = 'healthy', timeout = '100ms' }")
        + _job("told", "echo told >> @/story", "when = { source = 'late', once = 'exitFailed' }")
    )
    assert run.run().returncode == 0
    assert run.story == ["told"]


def test_health_is_told_when_it_changes(jobs: Make) -> None:
    health = "health = { exec = 'test -e @/well', interval = '50ms' }"
    run = jobs(_server("web", health))
    run.start()
    until(lambda: ("unhealthy", "web") in run.events())
    (run.folder / "well").touch()
    until(lambda: ("healthy", "web") in run.events())
    (run.folder / "well").unlink()
    until(lambda: run.events()[-1] == ("unhealthy", "web"))


def test_what_waits_for_the_end_works_before_and_after_it(jobs: Make) -> None:
    run = jobs(
        _server("web")
        + _job("before", "echo before >> @/story", "when = { source = 'web', once = 'stopping' }")
        + _job("after", "echo after >> @/story", "when = { source = 'web', once = 'stopped' }")
    )
    run.start()
    until(lambda: run.story == ["begin-web"])
    assert run.stop() == 0
    assert run.story == ["begin-web", "before", "end-web", "after"]


def test_a_job_that_does_not_end_is_killed_with_its_children(jobs: Make) -> None:
    script = "trap '' TERM; sleep 1000 & echo $! > @/child; echo begin >> @/story; wait; sleep 1000"
    run = jobs(_job("deaf", script, "stop_timeout = '300ms'"))
    run.start()
    until(lambda: run.story == ["begin"])
    child = int((run.folder / "child").read_text())
    assert run.stop() == 0
    until(lambda: not Path(f"/proc/{child}").exists() or _is_dead(child))


def test_orphans_are_reaped(jobs: Make) -> None:
    script = (
        "(setsid sh -c 'sleep 0.2; exit 0' & echo $! > @/orphan); echo begin >> @/story; sleep 60"
    )
    run = jobs(_job("web", script))
    run.start()
    until(lambda: run.story == ["begin"])
    orphan = int((run.folder / "orphan").read_text())
    until(lambda: not Path(f"/proc/{orphan}").exists())


def test_signals_go_to_the_jobs_unless_one_waits_for_them(jobs: Make) -> None:
    script = (
        "trap 'echo usr1 >> @/story' USR1; trap 'echo hup >> @/story' HUP;"
        " echo begin >> @/story; while :; do sleep 0.05; done"
    )
    run = jobs(
        _job("web", script)
        + _job("reload", "echo reload >> @/story", "when = { source = 'SIGHUP', each = 'SIGHUP' }")
    )
    run.start()
    until(lambda: run.story == ["begin"])
    run.send(signal.SIGUSR1)
    until(lambda: run.story == ["begin", "usr1"])
    for _ in range(2):
        before = len(run.story)
        run.send(signal.SIGHUP)
        until(lambda: len(run.story) > before)  # noqa: B023
    assert run.story == ["begin", "usr1", "reload", "reload"]


def test_a_program_that_is_not_there_is_told(jobs: Make) -> None:
    done = jobs("[[job]]\nname = 'web'\nexec = '/no/such/program'\n").run()
    assert done.returncode == 1
    assert "No such file" in done.stderr


def test_jobs_end_in_order_also_where_no_catalogue_answers(jobs: Make) -> None:
    catalog = f"catalog = 'http://127.0.0.1:{free_port()}'\n"
    slow = "trap 'sleep 0.5; echo end-slow >> @/story; exit 0' TERM; echo begin >> @/story;"
    slow += " while :; do sleep 0.05; done"
    run = jobs(catalog + _job("slow", slow) + _server("web", "needs = ['slow']\nport = 80"))
    run.start()
    until(lambda: run.count("catalogue not told job=web what=register") == 1)
    assert run.stop() == 0
    assert run.story[-2:] == ["end-web", "end-slow"]


@pytest.mark.engine
def test_jobs_are_in_the_catalogue_while_they_are_ready(
    jobs: Make, tmp_path: Path, engine: PrivateEngine
) -> None:
    with Pinnace(engine.url, lb=False) as here:
        health = "health = { exec = 'test -e @/well', interval = '100ms' }\nport = 80\ntags = ['a']"
        watch = "[[watch]]\nname = 'web'\ninterval = '100ms'\n"
        catalog = f"catalog = 'http://127.0.0.1:{here.http_port}'\n"
        seen = _job(
            "seen", "echo changed >> @/story", "when = { source = 'web', each = 'changed' }"
        )
        run = jobs(catalog + _server("web", health) + seen + watch)
        (tmp_path / "well").touch()
        run.start("--control", str(tmp_path / "control"))

        def passing() -> int:
            return len(here.json("/v1/health/service/web?passing"))

        until(lambda: passing() == 1)
        (tmp_path / "well").unlink()
        until(lambda: passing() == 0)
        (tmp_path / "well").touch()
        until(lambda: passing() == 1)
        until(lambda: "changed" in run.story)
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(tmp_path / "control"))
            control.sendall(b"maintenance on\n")
            assert control.recv(10) == b"ok\n"
        until(lambda: here.json("/v1/health/service/web") == [])
        assert ("enterMaintenance", "") in run.events()
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(tmp_path / "control"))
            control.sendall(b"maintenance off\n")
        until(lambda: passing() == 1)
        assert run.stop() == 0
        assert here.json("/v1/health/service/web") == []


def _is_dead(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
