"""Peers of the load balancer: programs that render HAProxy's file and have it reloaded."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.support.pinnace import until
from tests.support.ports import free_port

__all__ = ["HEAD", "confd", "consul_template", "peer_haproxy", "told"]

HEAD: Final = """global
  default-path config
  stats socket unix@admin.sock mode 600 level admin expose-fd listeners
defaults
  mode http
  option idle-close-on-response
  timeout connect 1s
  timeout client 60s
  timeout server 60s
frontend http
  bind 127.0.0.1:{port}
  use_backend http.%[req.hdr(host),lower,field(1,.)]
"""


def told(path: Path, line: str) -> str:
    """Ask a HAProxy on its socket; empty when it is away."""
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(str(path))
            sock.sendall(f"{line}\n".encode())
            return b"".join(iter(lambda: sock.recv(65536), b"")).decode()
        except OSError:
            return ""


@contextlib.contextmanager
def peer_haproxy(folder: Path, text: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a HAProxy that is reloaded by SIGUSR2."""
    (folder / "haproxy.cfg").write_text(text)
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin") or "haproxy"
    process = subprocess.Popen(
        [program, "-W", "-f", "haproxy.cfg"], cwd=folder,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        until(lambda: told(folder / "admin.sock", "show info"))
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def consul_template(folder: Path, api: int, program: str, services: int) -> list[str]:
    """Return its command; the file leads to the healthy endpoints of each service."""
    each = f"{{{{ range loop 0 {services} }}}}"
    lines = [
        HEAD.format(port=free_port()),
        each + '{{ $name := printf "svc%d" . }}backend http.{{ $name }}',
        "{{ range service $name }}  server {{ .ID }} {{ .Address }}:{{ .Port }}",
        "{{ end }}{{ end }}",
    ]
    (folder / "haproxy.ctmpl").write_text("\n".join(lines))
    return [
        program, "-consul-addr", f"127.0.0.1:{api}", "-template",
        f"{folder}/haproxy.ctmpl:{folder}/haproxy.cfg:{folder}/reload",
    ]  # fmt: skip


def confd(folder: Path, api: int, program: str, _services: int) -> list[str]:
    """Return its command; the file leads to the keys of each service."""
    (folder / "conf.d").mkdir()
    (folder / "templates").mkdir()
    (folder / "conf.d" / "haproxy.toml").write_text(
        '[template]\nsrc = "haproxy.tmpl"\nkeys = ["/lb"]\n'
        f'dest = "{folder}/haproxy.cfg"\nreload_cmd = "{folder}/reload"\n'
    )
    lines = [
        HEAD.format(port=free_port()),
        '{{ range ls "/lb" }}backend http.{{ . }}',
        '{{ range gets (printf "/lb/%s/*" .) }}  server s{{ base .Key }} {{ .Value }}',
        "{{ end }}{{ end }}",
    ]
    (folder / "templates" / "haproxy.tmpl").write_text("\n".join(lines))
    return [
        program, "-backend", "consul", "-node", f"127.0.0.1:{api}", "-watch",
        "-confdir", str(folder), "-log-level", "error",
    ]  # fmt: skip
