"""git-sync and repositories that want a password or a key; and where secrets must not be."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.support.git_http import Answer, Answering, git_over_http
from tests.support.pinnace import until
from tests.support.ports import free_port
from tests.support.repository import GitSyncProgram, Repository

PASSWORD = "hunter2&:@/ x"


class Lock:
    """What the server takes for the password now."""

    password = PASSWORD


@pytest.fixture
def lock() -> Lock:
    return Lock()


@pytest.fixture
def server(tmp_path: Path, repo: Repository, lock: Lock) -> Iterator[Answering]:
    with git_over_http(tmp_path, "me", lambda: lock.password) as serving:
        yield serving


@pytest.fixture
def over_http(sync: GitSyncProgram, server: Answering) -> GitSyncProgram:
    sync.repo = f"http://{server.at}/repo/.git"
    return sync


def test_a_password_comes_from_a_file_that_is_read_each_time(
    tmp_path: Path, repo: Repository, over_http: GitSyncProgram, lock: Lock
) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    over_http.start("--username=me", f"--password-file={file}")
    until(lambda: over_http.text() == "one")
    lock.password = "other"
    repo.commit(file="two")
    until(lambda: "sync failed" in over_http.log())
    file.write_text("other")
    until(lambda: over_http.text() == "two")


def test_a_wrong_password_is_an_error_without_the_password(over_http: GitSyncProgram) -> None:
    over_http.env["GITSYNC_PASSWORD"] = "a-wrong-secret"
    done = over_http.once("--username=me", "--error-file=error")
    assert done.returncode == 1
    assert "Authentication failed" in done.stderr
    assert "a-wrong-secret" not in done.stderr + (over_http.root / "error").read_text()


def test_a_password_in_the_url_is_not_seen_by_other_users(
    tmp_path: Path, over_http: GitSyncProgram, lock: Lock
) -> None:
    lock.password = "plain"
    over_http.repo = over_http.repo.replace("//", "//me:plain@")
    git = tmp_path / "spying-git"
    spy = f'cat /proc/$$/cmdline /proc/$$/environ >> "{tmp_path}/seen"; exec git "$@"'
    git.write_text(f"#!/bin/sh\n{spy}\n")
    git.chmod(0o755)
    done = over_http.once(f"--git={git}", "-v=9")
    assert done.returncode == 0, done.stderr
    assert over_http.text() == "one"
    seen = (tmp_path / "seen").read_bytes()
    assert b"fetch" in seen
    assert b"plain" not in seen
    assert "plain" not in done.stderr + done.stdout
    assert "plain" not in (over_http.root / ".git/config").read_text()


def test_what_holds_credentials_is_gone_afterwards_also_when_we_were_killed(
    over_http: GitSyncProgram, server: Answering
) -> None:
    def kept() -> list[Path]:
        found = Path("/dev/shm").glob("pinnace-git-*/config")
        return [path for path in found if server.at in path.read_text()]

    over_http.env["GITSYNC_PASSWORD"] = PASSWORD
    over_http.start("--username=me")
    until(lambda: over_http.text() == "one")
    (left,) = kept()
    assert left.parent.stat().st_mode & 0o777 == 0o700
    over_http.kill()
    assert kept() == [left]
    assert over_http.once("--username=me").returncode == 0
    assert kept() == []


def test_a_credential_is_for_its_url_only(over_http: GitSyncProgram, server: Answering) -> None:
    form = '{"url": "%s", "username": "me", "password-file": "%s"}'
    file = over_http.folder / "password"
    file.write_text(PASSWORD)
    other = form % ("https://example.org", file)
    assert over_http.once(f"--credential={other}").returncode == 1
    right = form % (f"http://{server.at}/repo", file)
    assert over_http.once(f"--credential=[{other}, {right}]").returncode == 0


def test_credentials_are_asked_for_before_each_sync(over_http: GitSyncProgram) -> None:
    answers: list[Answer] = [(500, b"secret trouble", {}), (200, b"username=me\npassword=no", {})]

    def handle(_: BaseHTTPRequestHandler, __: bytes) -> Answer:
        return (
            answers.pop(0) if answers else (200, f"username=me\npassword={PASSWORD}".encode(), {})
        )

    with Answering(handle) as asked:
        over_http.start(f"--askpass-url=http://{asked.at}/")
        until(lambda: over_http.text() == "one")
    assert over_http.count("sync failed") >= 2
    assert "secret trouble" not in over_http.log()


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[int]:
    """Run a private sshd that lets our key in; its port."""
    for name in ("host", "mine"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(words, check=True)
    port = free_port()
    (tmp_path / "mine.pub").rename(tmp_path / "allowed")
    config = f"""
Port {port}
ListenAddress 127.0.0.1
HostKey {tmp_path}/host
AuthorizedKeysFile {tmp_path}/allowed
PidFile {tmp_path}/pid
StrictModes no
UsePAM no
"""
    (tmp_path / "sshd_config").write_text(config)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/bin")
    assert sshd is not None, "deploy/setup installs openssh-server"
    words = [sshd, "-D", "-e", "-f", str(tmp_path / "sshd_config")]
    with (tmp_path / "sshd.log").open("wb") as log:
        process = subprocess.Popen(words, stderr=log, stdin=subprocess.DEVNULL)
    try:
        until(lambda: "listening" in (tmp_path / "sshd.log").read_text())
        yield port
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.skipif(os.geteuid() != 0, reason="sshd separates privileges, which needs root")
def test_a_key_opens_a_repository_over_ssh_and_an_unknown_host_is_refused(
    tmp_path: Path, repo: Repository, sync: GitSyncProgram, sshd: int
) -> None:
    user = pwd.getpwuid(os.geteuid()).pw_name
    sync.repo = f"ssh://{user}@127.0.0.1:{sshd}{repo.folder}"
    key = f"--ssh-key-file={tmp_path}/mine"
    known = tmp_path / "known hosts"
    known.write_text("")
    done = sync.once(key, f"--ssh-known-hosts-file={known}")
    assert done.returncode == 1
    assert "Host key verification failed" in done.stderr
    known.write_text(f"[127.0.0.1]:{sshd} {(tmp_path / 'host.pub').read_text()}")
    done = sync.once(key, f"--ssh-known-hosts-file={known}")
    assert done.returncode == 0, done.stderr
    assert sync.text() == "one"
