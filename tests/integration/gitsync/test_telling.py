"""Who is told of a commit: commands, a webhook, containers, probes; and nginx, which is not."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from deploy.tools.engine import PrivateEngine
from tests.support.containers import Containers
from tests.support.git_http import Answer, Answering
from tests.support.load import Load
from tests.support.pinnace import until
from tests.support.ports import free_port
from tests.support.repository import GitSyncProgram, Repository
from tests.support.web import get


def _script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_command_runs_in_the_files_of_each_commit_and_after_a_restart(
    tmp_path: Path, repo: Repository, sync: GitSyncProgram
) -> None:
    hook = _script(tmp_path / "hook", f'echo "$GITSYNC_HASH $(cat file)" >> {tmp_path}/ran')
    option = f"--exechook-command={hook}"
    assert sync.once(option).returncode == 0
    second = repo.commit(file="two")
    assert sync.once(option).returncode == 0
    assert sync.once(option).returncode == 0
    lines = (tmp_path / "ran").read_text().splitlines()
    assert lines == [f"{repo.first} one", f"{second} two", f"{second} two"]


def test_a_command_that_fails_is_tried_again_for_the_newest_commit(
    tmp_path: Path, repo: Repository, sync: GitSyncProgram
) -> None:
    text = f"[ -e {tmp_path}/go ] || exit 3\ncat file > {tmp_path}/ran"
    hook = _script(tmp_path / "hook", text)
    assert sync.once(f"--exechook-command={hook}").returncode == 1
    sync.start(f"--exechook-command={hook}", "--exechook-backoff=1s")
    until(lambda: sync.count("exit status 3"))
    repo.commit(file="two")
    until(lambda: sync.text() == "two")
    (tmp_path / "go").touch()
    until(lambda: (tmp_path / "ran").exists() and (tmp_path / "ran").read_text() == "two")


def test_nothing_is_published_that_the_first_command_refuses(
    tmp_path: Path, repo: Repository, sync: GitSyncProgram
) -> None:
    option = "--pre-publish-exechook-command=grep -q good file", "--pre-publish-exechook-backoff=1s"
    repo.commit(file="good")
    assert sync.once(*option).returncode == 0
    repo.commit(file="bad")
    done = sync.once(*option)
    assert (done.returncode, sync.text()) == (1, "good")
    assert "grep -q good file" in done.stderr


def test_a_command_does_not_get_our_passwords(tmp_path: Path, sync: GitSyncProgram) -> None:
    sync.env["GITSYNC_PASSWORD"] = "hunter2"
    hook = _script(tmp_path / "hook", f"env > {tmp_path}/env")
    assert sync.once("--username=me", f"--exechook-command={hook}").returncode == 0
    assert "hunter2" not in (tmp_path / "env").read_text()


def test_a_webhook_is_asked_until_it_takes_the_commit(
    repo: Repository, sync: GitSyncProgram
) -> None:
    asked: list[tuple[str, str]] = []

    def handle(request: BaseHTTPRequestHandler, _: bytes) -> Answer:
        asked.append((request.command, request.headers["Gitsync-Hash"]))
        return (200 if len(asked) > 1 else 503), b"", {}

    with Answering(handle) as web:
        sync.start(f"--webhook-url=http://{web.at}/hook", "--webhook-backoff=1s")
        until(lambda: sync.count("hook done"))
        second = repo.commit(file="two")
        until(lambda: ("POST", second) in asked)
    assert asked[:2] == [("POST", repo.first)] * 2
    assert sync.count("status 503, not 200") == 1


def test_probes_are_told_when_the_first_files_are_there(
    tmp_path: Path, repo: Repository, sync: GitSyncProgram
) -> None:
    repo.folder.rename(tmp_path / "away")
    port = free_port()
    sync.start(f"--http-bind=127.0.0.1:{port}", "--http-metrics")
    until(lambda: get(port, "/")[0] == 503 and sync.count("sync failed"))
    assert get(port, "/readyz")[0] == 503
    (tmp_path / "away").rename(repo.folder)
    until(lambda: get(port, "/")[0] == 200)
    assert get(port, "/readyz")[0] == 200
    metrics = get(port, "/metrics")[1].decode()
    assert 'pinnace_gitsync_syncs_total{result="success"} 1.0' in metrics
    assert 'pinnace_gitsync_syncs_total{result="error"}' in metrics


@pytest.mark.engine
@pytest.mark.parametrize("kind", ["name", "label"])
def test_a_container_gets_a_signal_after_the_flip(
    engine: PrivateEngine, containers: Containers, sync: GitSyncProgram, kind: str
) -> None:
    script = "trap 'echo told' USR1; while true; do sleep 0.1; done"
    command = ("sh", "-c", script)
    name = containers.run(
        "told", "--label", "team=blue", "--entrypoint", "", publish=False, command=command
    )
    target = name if kind == "name" else "team=blue"
    done = sync.once(f"--docker={engine.url}", f"--signal-container={target}:USR1")
    assert done.returncode == 0, done.stderr
    until(lambda: "told" in engine.docker("logs", name))
    if kind == "name":
        engine.docker("rm", "-f", name)
        done = sync.once(f"--docker={engine.url}", f"--signal-container={name}")
        assert done.returncode == 1
        assert f"there is no container {name}" in done.stderr


@pytest.fixture
def nginx(tmp_path: Path, sync: GitSyncProgram) -> Iterator[int]:
    """Serve what is published, by a real nginx; its port."""
    port = free_port()
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"""
{"user root;" * (os.geteuid() == 0)}  # another one could not look into folders of tests
daemon off; pid {tmp_path}/nginx.pid; error_log {tmp_path}/nginx.log; worker_processes 2;
events {{}}
http {{
  access_log off; client_body_temp_path {tmp_path}/body; proxy_temp_path {tmp_path}/proxy;
  fastcgi_temp_path {tmp_path}/fastcgi; uwsgi_temp_path {tmp_path}/uwsgi;
  scgi_temp_path {tmp_path}/scgi;
  server {{ listen 127.0.0.1:{port}; root {sync.live}; }}
}}
"""
    )
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None
    process = subprocess.Popen([program, "-c", str(config), "-p", str(tmp_path)])
    try:
        until(lambda: get(port, "/")[0] != 0)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.nginx
def test_a_push_is_served_by_nginx_without_reload_and_without_a_failed_request(
    tmp_path: Path, repo: Repository, sync: GitSyncProgram, nginx: int
) -> None:
    repo.commit(file="0")
    sync.start("--stale-worktree-timeout=1s")
    until(lambda: get(nginx, "/file") == (200, b"0"))
    with Load(nginx, "localhost", clients=4, path="/file", pause=0.01) as load:
        for number in range(1, 6):
            repo.commit(file=str(number))
            until(lambda: get(nginx, "/file") == (200, str(number).encode()))  # noqa: B023
    assert load.failures == []
    assert load.total > 100
