"""A Docker engine that is alone on a host of its own, as far as the network can tell.

It lives in a network namespace and answers on TCP there. It can lose its power, be cut off, be
frozen, and crash. The link that is cut is the pair between the two namespaces and nothing else.
"""

import ipaddress
import os
import signal
import subprocess
import uuid
from pathlib import Path

from deploy.tools import leftovers
from deploy.tools.bridge import Bridge, free_subnets, networks_in_use, run
from deploy.tools.engine import PrivateEngine

__all__ = ["EngineHost"]

_PORT = 2375


class EngineHost(PrivateEngine):
    """Use it as ``PrivateEngine``; ``address`` is where this machine reaches it."""

    def __init__(self) -> None:
        super().__init__(live_restore=False)
        self.space = f"pn-{uuid.uuid4().hex[:8]}"
        self._near = f"{self.space[:9]}n"
        self.address = ""
        self._own = ""

    @property
    def endpoint(self) -> str:
        """Where the engine answers by TCP."""
        return f"tcp://{self.address}:{_PORT}"

    def start(self) -> None:
        """Make the namespace, join it by a pair of links, start the engine in it."""
        try:
            self._make_space()
            self.start_daemon()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Leave nothing."""
        self.thaw()
        self.join()
        super().stop()
        run("ip", "link", "delete", self._near, check=False)
        run("ip", "netns", "delete", self.space, check=False)

    def _make_space(self) -> None:
        subnet = next(free_subnets(networks_in_use(), start=os.getpid() % 256))
        own, far = (ipaddress.ip_address(subnet.network_address + n) for n in (1, 2))
        self._own, self.address = str(own), str(far)
        run("ip", "netns", "add", self.space)
        run("ip", "link", "add", self._near, "type", "veth", "peer", "name", "far0",
            "netns", self.space)  # fmt: skip
        run("ip", "address", "add", f"{own}/24", "dev", self._near)
        run("ip", "link", "set", self._near, "up")
        for words in (
            ("address", "add", f"{far}/24", "dev", "far0"),
            ("link", "set", "far0", "up"),
            ("link", "set", "lo", "up"),
        ):
            run("ip", "-n", self.space, *words)

    def _command(self) -> list[str]:
        self.bridge = self.bridge or Bridge("docker0", ipaddress.IPv4Network("172.17.0.0/16"))
        words = [each for each in super()._command() if not each.startswith("--bridge")]
        inside = ["nsenter", f"--net=/run/netns/{self.space}"]
        chain, key = self._certificate()  # without TLS it waits, so that people see its warning
        secure = ["--tlsverify", f"--tlscacert={chain}", f"--tlscert={chain}", f"--tlskey={key}"]
        return [*inside, *words, f"--host=tcp://{self.address}:{_PORT}", *secure]

    def _certificate(self) -> tuple[Path, Path]:
        """Make one that is its own authority, the server's and the client's."""
        chain, key = self.certificate, self.root / "key.pem"
        if not chain.exists():
            words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30"
            names = f"-subj /CN={self.space} -addext subjectAltName=IP:{self.address}"
            command = f"openssl {words} {names} -keyout {key} -out {chain}"
            subprocess.run(command.split(), check=True, capture_output=True)
        return chain, key

    @property
    def certificate(self) -> Path:
        """The certificate of all; its key is ``key.pem`` beside it."""
        return self.root / "cert.pem"

    def node(self, name: str) -> dict[str, object]:
        """Return it as a node of the scheduler's list."""
        files = {"ca": str(self.certificate), "cert": str(self.certificate)}
        return {
            "name": name, "endpoint": self.endpoint, **files, "key": str(self.root / "key.pem"),
        }  # fmt: skip

    # What can happen to a host

    def cut_off(self) -> None:
        """Let nothing pass between it and this machine; what it runs runs on."""
        run("ip", "link", "set", self._near, "down")

    def join(self) -> None:
        """Let it be reached again."""
        if self.address:
            run("ip", "link", "set", self._near, "up", check=False)

    def freeze(self) -> None:
        """Stop the daemon's process: it takes connections and never answers."""
        assert self.pid is not None
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the daemon go on."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGCONT)

    def power_off(self) -> None:
        """End everything on it at once, and its network."""
        self.cut_off()
        self.kill()
        leftovers.end(leftovers.processes_naming(str(self.root)))
        leftovers.end(leftovers.processes_in_cgroup(self.name), patience=2.0)

    def power_on(self) -> None:
        """Let it come up again."""
        leftovers.unmount_below(self.root / "data")
        self.join()
        self.start_daemon()
