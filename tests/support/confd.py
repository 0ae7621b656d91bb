"""The drop-in as a real process, called by the name ``confd``, in a folder of its own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Confd"]


class Confd:
    """A folder with resources, templates and a values file, and the program on it."""

    def __init__(self, folder: Path, *, program: Path | None = None) -> None:
        """Prepare folders; ``program`` is another confd to compare with."""
        self.folder = folder
        self.out = folder / "out"
        self.values = folder / "values.json"
        self.log_path = folder / "log"
        for name in ("conf.d", "templates", "out"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.program = program or folder / "confd"
        if program is None:
            self.program.symlink_to(Path(sys.executable).with_name("pinnace"))
        self.backend: tuple[str, ...] = ("-backend", "file", "-file", str(self.values))
        self.env: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self.put({})

    def __enter__(self) -> Self:
        """Return itself; nothing runs yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Stop what runs; show the log when the test failed."""
        if self._process is not None:
            self.kill()
        if error is not None:
            sys.stderr.write(self.log()[-8000:])

    def put(self, values: object) -> None:
        """Replace the values of the file backend, whole."""
        fresh = self.values.with_suffix(".new")
        fresh.write_text(json.dumps(values))
        fresh.replace(self.values)

    def template(self, name: str, text: str) -> None:
        """Write a template."""
        (self.folder / "templates" / name).write_text(text)

    def resource(self, name: str, text: str, keys: str = '["/"]', **more: str | int) -> Path:
        """Write a template and its resource; return the destination."""
        self.template(f"{name}.tmpl", text)
        dest = Path(str(more.pop("dest", self.out / name)))
        lines = [f'src = "{name}.tmpl"', f'dest = "{dest}"', f"keys = {keys}"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in more.items()]
        (self.folder / "conf.d" / f"{name}.toml").write_text(
            "\n".join(["[template]", *lines]) + "\n"
        )
        return dest

    def command(self, *arguments: str) -> list[str]:
        """Return the whole command line."""
        missing = ("-config-file", str(self.folder / "confd.toml"))
        return [
            str(self.program),
            *self.backend,
            "-confdir",
            str(self.folder),
            *missing,
            *arguments,
        ]

    def run(self, *arguments: str, timeout: float = 20) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=timeout,
            env={**os.environ, **self.env}, check=False,
        )  # fmt: skip

    def once(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one pass."""
        return self.run("-onetime", *arguments)

    def start(self, *arguments: str, prefix: tuple[str, ...] = ()) -> None:
        """Start and leave it running; ``prefix`` goes before the command (strace)."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*prefix, *self.command(*arguments)], stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, env={**os.environ, **self.env},
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def stop(self, number: int = signal.SIGTERM, limit: float = 20.0) -> int:
        """Send a signal; return the exit status."""
        process, self._process = self._process, None
        assert process is not None
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self.stop(signal.SIGKILL)

    def signal(self, number: int) -> None:
        """Send a signal and go on."""
        assert self._process is not None
        self._process.send_signal(number)

    def log(self) -> str:
        """Return all that it wrote."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    def count(self, words: str) -> int:
        """Return how many log lines have these words."""
        return sum(words in line for line in self.log().splitlines())
