"""`make demo` shows every promise, judges itself, and removes what it started."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from deploy.tools import leftovers
from deploy.tools.engine import PrivateEngine

pytestmark = [pytest.mark.engine, pytest.mark.haproxy]

TOP = Path(__file__).resolve().parents[3]
DEMO = [sys.executable, "-m", "deploy.tools.demo"]


def _contents(engine: PrivateEngine) -> set[str]:
    return {*engine.docker("ps", "-aq").split(), *engine.docker("images", "-q").split()}


def test_demo_shows_every_step_on_an_engine_of_its_own_and_leaves_nothing() -> None:
    with tempfile.TemporaryDirectory(prefix="pd-", dir="/tmp") as folder:
        nowhere = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "TMPDIR": folder}
        done = subprocess.run(
            [*DEMO, "--once"],
            cwd=TOP,
            env={**os.environ, **nowhere},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "7 of 7 steps showed what they should" in done.stdout
        assert "\x1b" not in done.stdout
        assert list(Path(folder).iterdir()) == []
        assert leftovers.processes_naming(folder) == []
        assert folder not in Path("/proc/self/mountinfo").read_text()


def test_demo_uses_a_running_engine_and_leaves_it_as_it_was(engine: PrivateEngine) -> None:
    before = _contents(engine)
    with subprocess.Popen(
        DEMO, cwd=TOP, env=engine.environment(), stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        printed = ""
        for line in demo.stdout:
            printed += line
            if "Everything stays up" in line:
                break
        demo.send_signal(signal.SIGINT)
        printed += demo.stdout.read()
    assert demo.returncode == 0, printed
    assert "the one at" in printed
    assert _contents(engine) == before


def test_demo_fails_and_says_so_when_a_step_cannot_be_shown(engine: PrivateEngine) -> None:
    before = _contents(engine)
    # Without the load balancer the steps through it have nothing to show.
    environment = {**engine.environment(), "PINNACE_LB__PROGRAM": "/nowhere/haproxy"}
    done = subprocess.run(
        [*DEMO, "--once"], cwd=TOP, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "NOT AS EXPECTED" in done.stdout
    assert "haproxy" in done.stdout
    assert _contents(engine) == before
