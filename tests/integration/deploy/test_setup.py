"""deploy/setup: quiet and quick when nothing is missing, clear when it cannot install."""

import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[3]
SETUP = TOP / "deploy" / "setup"


def _setup(*arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", str(SETUP), *arguments]
    env = None if path is None else {"PATH": path}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


def test_wrong_role_is_a_usage_error() -> None:
    done = _setup("production")
    assert done.returncode == 2
    assert "demo|test" in done.stderr


@pytest.mark.skipif(
    not (TOP / ".venv" / ".stamp-test").exists(), reason="deploy/setup test has not run here"
)
@pytest.mark.parametrize("role", ["demo", "test"])
def test_nothing_missing_is_nothing_done_and_nothing_said(role: str) -> None:
    done = _setup(role)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_missing_is_named_with_its_reason_before_anything_is_done(tmp_path: Path) -> None:
    for name in ("dirname", "head", "grep", "python3", "timeout", "cat"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    done = _setup("test", path=str(tmp_path))
    assert done.returncode == 1
    assert "needs curl: shows the HTTP answers" in done.stderr
    assert "no apt-get: install by hand: " in done.stderr
    assert "curl" in done.stderr.splitlines()[-1]


def test_without_root_or_sudo_it_says_so(tmp_path: Path) -> None:
    for name in ("dirname", "head", "grep", "python3", "timeout", "cat"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    for name, says in (("apt-get", "exit 9"), ("id", "echo 1000")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{says}\n")
        (tmp_path / name).chmod(0o755)
    done = _setup("demo", path=str(tmp_path))
    assert done.returncode == 1
    assert "run this as root, or install sudo" in done.stderr
