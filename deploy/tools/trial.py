"""The parts of a trial run: an engine, containers with a label of the run, `pinnace up`."""

import contextlib
import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from deploy.tools.engine import PrivateEngine, why_not
from deploy.tools.images import IMAGES, import_image

__all__ = ["Docker", "Failed", "Trial", "until"]

_LABEL: Final = "pinnace.demo"
_USUAL_SOCKET: Final = "unix:///var/run/docker.sock"
_DEFAULT_PORTS: Final = {"http": 8500, "dns": 8600, "lb": 8080, "tcp": 7000}


class Failed(Exception):
    """The trial cannot go on; the message says why."""


class Docker(Protocol):
    """An engine as the trial uses it."""

    @property
    def url(self) -> str:
        """Value for DOCKER_HOST."""

    def docker(self, *args: str, stdin: bytes | None = None, check: bool = True) -> str:
        """Run the docker command line and return what it printed."""


class RunningEngine:
    """The engine that runs here already; it is the user's, so only what the run made is removed."""

    def __init__(self, url: str) -> None:
        """Use the engine at this URL."""
        self.url = url

    def docker(self, *args: str, stdin: bytes | None = None, check: bool = True) -> str:
        """Run the docker command line and return what it printed."""
        command = ["docker", "-H", self.url, *args]
        done = subprocess.run(
            command, input=stdin or b"", capture_output=True, check=False, timeout=120
        )
        if check and done.returncode != 0:
            raise Failed(f"docker {args[0]}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode(errors="replace").strip()

    def answers(self) -> bool:
        """Whether it is there, on this machine, and lets us in."""
        path = self.url.removeprefix("unix://")
        return (
            path != self.url
            and Path(path).is_socket()
            and bool(self.docker("version", "-f", "{{.Server.Version}}", check=False))
        )


@contextlib.contextmanager
def any_engine(say: Callable[[str], None]) -> Iterator[Docker]:
    """Give the engine that runs here, or a private one for the time of the block."""
    running = RunningEngine(os.environ.get("DOCKER_HOST") or _USUAL_SOCKET)
    if shutil.which("docker") and running.answers():
        say(f"Docker engine: the one at {running.url}")
        yield running
        return
    reason = why_not()
    if reason is not None:
        raise Failed(f"no Docker engine answers at {running.url}, and {reason}")
    say("Docker engine: none runs here, so a private one is started")
    with PrivateEngine() as private:
        yield private


class Trial:
    """Everything one run starts; close() removes it, whatever happened."""

    def __init__(self, engine: Docker, say: Callable[[str], None]) -> None:
        """Prepare; nothing is started yet."""
        self.engine = engine
        self.ports = {name: _port(name, wanted, say) for name, wanted in _DEFAULT_PORTS.items()}
        self.run_id = secrets.token_hex(3)
        self._folder = Path(tempfile.mkdtemp(prefix="pn-demo-"))
        self._images: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        """Environment for commands that are shown: `docker` talks to the trial's engine."""
        kept = {name: value for name, value in os.environ.items() if name != "DOCKER_CONTEXT"}
        return {**kept, "DOCKER_HOST": self.engine.url}

    def build_images(self) -> None:
        """Import the tiny images under names that are nobody else's."""
        for name in IMAGES:
            self._images.append(self.image(name))
            import_image(self.engine, name, self.image(name))

    def image(self, name: str) -> str:
        """The image's name; its last part becomes the service's name."""
        return f"pinnace-demo-{self.run_id}/{name}"

    def container(self, name: str, *options: str, image: str, port: int) -> None:
        """Start a container whose host name is its name, published on loopback."""
        self.engine.docker(
            "run", "-d", "--name", self.name(name), "--hostname", name,
            "--label", f"{_LABEL}={self.run_id}", "-p", f"127.0.0.1::{port}",
            *options, self.image(image),
        )  # fmt: skip

    def name(self, short: str) -> str:
        """The full name of a container of this run."""
        return f"{short}-{self.run_id}"

    def published(self, short: str, port: int) -> int:
        """The port of loopback that reaches a container's port."""
        return int(self.engine.docker("port", self.name(short), str(port)).rpartition(":")[2])

    def start_pinnace(self) -> float:
        """Start `pinnace up` and wait until it is ready; return how long that took."""
        log = (self._folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                self.pinnace_command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        process = self._process

        def ready() -> bool:
            if process.poll() is not None:
                raise Failed(f"pinnace up ended with {process.returncode}:\n{self.log_tail()}")
            return self.get("/readyz")[0] == http.HTTPStatus.OK

        return until(ready, "pinnace up is ready", limit=20)

    def pinnace_command(self) -> list[str]:
        """The command line of `pinnace up`."""
        place = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        return [
            str(Path(sys.executable).with_name("pinnace")), "up",
            "--docker", self.engine.url, "--ip", "127.0.0.1", "--http", place["http"],
            "--dns", place["dns"], "--lb-listen", place["lb"],
        ]  # fmt: skip

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of the HTTP API; status 0 while it does not listen."""
        return _get(self.ports["http"], path, "localhost")

    def fetch(self, host: str) -> str:
        """What the load balancer answers for this host; the status when it is not 200."""
        status, body = _get(self.ports["lb"], "/", host)
        return (
            body.decode(errors="replace").strip() if status == http.HTTPStatus.OK else str(status)
        )

    def instances(self, service: str) -> dict[int, dict[str, Any]]:
        """What the catalogue says about a service, by port."""
        entries = json.loads(self.get(f"/v1/health/service/{service}")[1] or b"[]")
        return {entry["Service"]["Port"]: entry for entry in entries}

    def log_tail(self) -> str:
        """The last lines that pinnace printed."""
        text = (self._folder / "log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-15:])

    def close(self) -> None:
        """Remove everything the run started."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        ours = self.engine.docker(
            "ps", "-aq", "--filter", f"label={_LABEL}={self.run_id}", check=False
        )
        for command, names in ((("rm", "-f", "-v"), ours.split()), (("rmi",), self._images)):
            if names:
                self.engine.docker(*command, *names, check=False)
        shutil.rmtree(self._folder, ignore_errors=True)


def until(fact: Callable[[], object], what: str, *, limit: float = 10.0) -> float:
    """Wait until the fact holds and return how long it took."""
    begun = time.monotonic()
    while not fact():
        if time.monotonic() - begun > limit:
            raise Failed(f"not within {limit:.0f} s: {what}")
        time.sleep(0.005)
    return time.monotonic() - begun


def _get(port: int, path: str, host: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection):
        try:
            connection.request("GET", path, headers={"Host": host})
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return 0, b""


def _port(name: str, wanted: int, say: Callable[[str], None]) -> int:
    if _is_free(wanted):
        return wanted
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if _is_free(port):
            say(f"port {wanted} ({name}) is taken: using {port}")
            return port


def _is_free(port: int) -> bool:
    """Whether TCP and UDP may listen there."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(type=kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # TIME_WAIT is fine
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
