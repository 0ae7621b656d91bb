"""A private Docker engine: own socket, data, control group and bridge; it leaves nothing behind.

It runs without Docker's packet filter rules: two engines share the names of those chains, so a
second one would cut the published ports of the first. Published ports work all the same, through
Docker's user-space proxy.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from deploy.tools import leftovers
from deploy.tools.bridge import Bridge
from deploy.tools.images import IMAGES, import_image

_START_LIMIT = 60.0  # a cold disk and two busy cores
_PATH_LIMIT = 100  # a unix socket's path has 108 bytes, and containerd adds its own names
_PROGRAMS = ("dockerd", "docker", "containerd", "runc", "ip")


class EngineError(Exception):
    """The private engine does not do what it was asked; the message ends with its last words."""


def why_not() -> str | None:
    """Why a private engine cannot run here, or None."""
    if os.geteuid() != 0:
        return "a private Docker engine needs root"
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    return f"missing: {', '.join(missing)} (deploy/setup installs them)" if missing else None


class PrivateEngine:
    """A throw-away dockerd. Use it as a context manager, or call start() and stop()."""

    def __init__(self, *, live_restore: bool = False) -> None:
        """Prepare the names; `live_restore` keeps containers running while dockerd is away."""
        self.live_restore = live_restore
        self.root = _short_folder()
        self.name = self.root.name
        self.socket = self.root / "docker.sock"
        self.log = self.root / "dockerd.log"
        self.bridge: Bridge | None = None
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Value for DOCKER_HOST."""
        return f"unix://{self.socket}"

    @property
    def gateway(self) -> str:
        """The host's address on the engine's bridge."""
        if self.bridge is None:
            raise EngineError("the engine is not started")
        return self.bridge.gateway

    @property
    def pid(self) -> int | None:
        """Process id of dockerd while it runs."""
        return self._daemon.pid if self._daemon is not None else None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and leave nothing."""
        self.stop()

    def start(self) -> None:
        """Make the bridge and start dockerd; return when it answers, clean up when it does not."""
        reason = why_not()
        if reason is not None:
            raise EngineError(reason)
        try:
            self.bridge = self.bridge or Bridge.create()
            self.start_daemon()
        except BaseException:
            self.stop()
            raise

    def start_daemon(self) -> None:
        """Start dockerd on the present data and wait until it answers."""
        if self._daemon is not None:
            return
        self.root.mkdir(mode=0o711, exist_ok=True)
        (self.root / "pid").unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._daemon = subprocess.Popen(
                self._command(),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_LIMIT
        while not self.answers():
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                self.stop_daemon()
                raise EngineError(f"dockerd did not start: {self.last_words()}")
            time.sleep(0.02)

    def stop_daemon(self) -> None:
        """Stop dockerd only; images and containers stay on disk (and running with live_restore)."""
        self._end_daemon(kill=False)

    def restart(self) -> None:
        """Stop dockerd and start it again on the same data."""
        self.stop_daemon()
        self.start_daemon()

    def kill(self) -> None:
        """Kill dockerd as a crash would; start_daemon() brings it back."""
        self._end_daemon(kill=True)

    def stop(self) -> None:
        """Remove containers, processes, mounts, bridge and files; safe to call twice."""
        try:
            self._remove_containers()
        finally:
            self.kill()  # an orderly end would take a second, to save what is thrown away now
            leftovers.end(leftovers.processes_naming(str(self.root)))
            leftovers.end(leftovers.processes_in_cgroup(self.name), patience=2.0)
            leftovers.remove_cgroup(self.name)
            leftovers.unmount_below(self.root)
            if self.bridge is not None:
                self.bridge.remove()
                self.bridge = None
            shutil.rmtree(self.root, ignore_errors=True)

    def docker(
        self, *args: str, stdin: bytes | None = None, check: bool = True, timeout: float = 120
    ) -> str:
        """Run the docker command line against this engine and return what it printed, stripped."""
        done = subprocess.run(
            ["docker", "-H", self.url, *args],
            input=stdin or b"",
            capture_output=True,
            check=False,
            timeout=timeout,
            env=self.environment(),
        )
        if check and done.returncode != 0:
            raise EngineError(
                f"docker {' '.join(args)}: {done.stderr.decode(errors='replace').strip()}"
            )
        return done.stdout.decode(errors="replace").strip()

    def environment(self) -> dict[str, str]:
        """The caller's environment with every Docker setting of the user replaced by ours."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
        # The user's proxies and credential helpers are not for our containers.
        ours = {"DOCKER_CONFIG": str(self.root / "cli"), "DOCKER_BUILDKIT": "0"}
        return {**kept, **ours, "DOCKER_HOST": self.url}

    def build_images(self, *names: str) -> None:
        """Import the tiny images, all of them when none is named."""
        for name in names or IMAGES:
            import_image(self, name, name)

    def answers(self) -> bool:
        """Whether dockerd answers on its socket."""
        if not self.socket.exists():
            return False
        try:
            return bool(self.docker("version", "-f", "{{.Server.Version}}", check=False, timeout=5))
        except subprocess.TimeoutExpired:
            return False

    def last_words(self) -> str:
        """The end of dockerd's log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-5:]) or "it said nothing"

    def _command(self) -> list[str]:
        if self.bridge is None:
            raise EngineError("the engine is not started")
        options = {
            "--host": self.url,
            "--data-root": str(self.root / "data"),
            "--exec-root": str(self.root / "exec"),
            "--pidfile": str(self.root / "pid"),
            "--bridge": self.bridge.name,
            "--cgroup-parent": f"/{self.name}",
            "--exec-opt": "native.cgroupdriver=cgroupfs",
            "--config-file": str(self.root / "none.json"),
        }
        flags = ["--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false"]
        if self.live_restore:
            flags.append("--live-restore")
        # Not the machine's own daemon.json; and a key, which makes the engine's id, of its own.
        own = {"deprecated-key-path": str(self.root / "key.json")}
        (self.root / "none.json").write_text(json.dumps(own))
        return ["dockerd", *(f"{name}={value}" for name, value in options.items()), *flags]

    def _end_daemon(self, *, kill: bool) -> None:
        if self._daemon is None:
            return
        if kill:
            self._daemon.kill()
        else:
            self._daemon.terminate()
        try:
            self._daemon.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._daemon.kill()
            self._daemon.wait()
        self._daemon = None
        self.socket.unlink(missing_ok=True)
        # containerd ends with dockerd. Where init is slow to reap it, the next dockerd would take
        # the dead process for a living one and wait for it in vain.
        (self.root / "exec" / "containerd" / "containerd.pid").unlink(missing_ok=True)

    def _remove_containers(self) -> None:
        if self._daemon is None or not self.answers():
            return
        containers = self.docker("ps", "-aq", check=False).split()
        if containers:
            self.docker("rm", "-f", "-v", *containers, check=False)
        self.docker("network", "prune", "-f", check=False)


def _short_folder() -> Path:
    """A new folder whose path leaves room for the names of sockets."""
    folder = Path(tempfile.mkdtemp(prefix="pn-"))
    if len(str(folder)) + len("/exec/containerd/containerd-debug.sock") < _PATH_LIMIT:
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix="pn-", dir="/tmp"))
