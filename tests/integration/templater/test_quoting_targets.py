"""The real programs read quoted values: each gets one word, and it is the value."""

import os
import random
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from templater.own.quoting import haproxy, nginx, shell
from templater.own.values import UNSAFE
from tests.integration.templater.harness import free_port

ALPHABET = "ab '\"\\#;{}()[]|&<>*?!~$%`=-,:/@é\u00a0€\U0001f600"
NASTY = [
    "", "'", "\\", "a\\", "''", "# x", "; evil", "a b", "%[env(HOME)]", "${HOME}", "$HOME", "`id`",
    "-n",
]  # fmt: skip


def values(count: int) -> list[str]:
    chance = random.Random(7)
    made = ("".join(chance.choices(ALPHABET, k=chance.randrange(1, 25))) for _ in range(count))
    found = [*NASTY, *made]
    assert not any(UNSAFE.search(one) for one in found)
    return found


def test_haproxy_holds_the_values_and_sees_no_line_more(tmp_path: Path) -> None:
    wanted = {f"VALUE_{at}": text for at, text in enumerate(values(200)) if text}
    socket = tmp_path / "s"
    lines = [f"    setenv {name} {haproxy(text)}" for name, text in wanted.items()]
    config = tmp_path / "haproxy.cfg"
    config.write_text(
        f"global\n    stats socket {socket} level admin\n"
        + "\n".join(lines)
        + f"\ndefaults\n    timeout client 1s\n    timeout server 1s\n    timeout connect 1s\n"
        f"frontend one\n    bind 127.0.0.1:{free_port()}\n"
    )
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None
    process = subprocess.Popen([program, "-db", "-f", str(config)])
    try:
        answer = ask(socket, "show env")
    finally:
        process.kill()
        process.wait()
    found = dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)
    assert {name: found.get(name) for name in wanted} == wanted


def ask(socket: Path, command: str) -> str:
    script = (
        "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
        "s.sendall(sys.argv[2].encode()+b'\\n')\n"
        "while part:=s.recv(65536):\n sys.stdout.buffer.write(part)\n"
    )
    error = b""
    for _ in range(100):
        words = [sys.executable, "-c", script, str(socket), command]
        done = subprocess.run(words, check=False, capture_output=True)
        if done.returncode == 0:
            return done.stdout.decode()
        error = done.stderr
        time.sleep(0.05)
    raise AssertionError(error.decode())


def test_nginx_answers_with_the_values(tmp_path: Path) -> None:
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("nginx is not installed")
        pytest.skip("nginx is not installed")
    wanted = [text for text in values(200) if text and "$" not in text]
    port = free_port()
    places = [
        f"    location = /{at} {{ return 200 {nginx(text)}; }}" for at, text in enumerate(wanted)
    ]
    config = tmp_path / "nginx.conf"
    paths = "".join(
        f"{name}_temp_path {tmp_path}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config.write_text(
        f"daemon off; master_process off; pid {tmp_path}/pid; error_log {tmp_path}/error.log;\n"
        f"events {{}}\nhttp {{ {paths} access_log off; default_type text/plain;\n"
        f"  server {{ listen 127.0.0.1:{port};\n" + "\n".join(places) + "\n  }\n}\n"
    )
    process = subprocess.Popen([program, "-p", str(tmp_path), "-c", str(config)])
    try:
        for at, text in enumerate(wanted):
            assert fetched(f"http://127.0.0.1:{port}/{at}") == text
    finally:
        process.kill()
        process.wait()


def fetched(url: str) -> str:
    for _ in range(100):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read().decode())
        except (ConnectionError, urllib.error.URLError):
            time.sleep(0.05)
    raise AssertionError(url)


def test_a_shell_prints_the_values() -> None:
    wanted = [*values(200), "a\nb", "\t", "\x7f"]
    script = "\n".join(f"printf '%s\\0' {shell(text)}" for text in wanted)
    done = subprocess.run(["/bin/sh"], input=script.encode(), capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == wanted
    assert done.stderr == b""
