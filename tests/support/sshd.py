"""A real ssh server for one test, and an ``ssh`` in PATH that knows nothing but it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.pinnace import until
from tests.support.ports import free_port

__all__ = ["Sshd", "ssh_server"]


class Sshd:
    """Where it listens, and the folder that must be the first of PATH."""

    def __init__(self, port: int, programs: Path) -> None:
        self.port = port
        self.programs = programs


@contextmanager
def ssh_server(folder: Path, **variables: str) -> Iterator[Sshd]:
    """Run a server whose sessions have these variables."""
    folder.chmod(0o700)
    for name in ("host", "user"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(words, check=True)
    (folder / "allowed").write_text((folder / "user.pub").read_text())
    port = free_port()
    said = " ".join(f"{name}={value}" for name, value in variables.items())
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/allowed\nStrictModes no\nPidFile none\n"
        f"PermitRootLogin yes\nSetEnv {said}\n"
    )
    host = (folder / "host.pub").read_text()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {host}")
    (folder / "config").write_text(
        f"Host *\n  IdentityFile {folder}/user\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {folder}/known\n  GlobalKnownHostsFile none\n"
    )
    programs = folder / "bin"
    programs.mkdir()
    ssh = programs / "ssh"
    ssh.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {folder}/config "$@"\n')
    ssh.chmod(0o755)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    server = subprocess.Popen(
        ["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "sshd_config")],
        stderr=subprocess.PIPE,
    )
    try:
        words = [str(ssh), "-p", str(port), "-o", "BatchMode=yes", "127.0.0.1", "true"]
        until(lambda: subprocess.run(words, capture_output=True, check=False).returncode == 0)
        yield Sshd(port, programs)
    finally:
        server.terminate()
        server.wait(10)
        if server.stderr is not None:
            server.stderr.close()
