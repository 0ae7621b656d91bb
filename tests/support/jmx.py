"""``adapter jmx`` as a real process, and key stores for JVMs."""

import gzip
import http.client
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.support.pinnace import until
from tests.support.ports import free_port

__all__ = ["Exporter", "KeyStores", "families_of", "value_of"]

PASSWORD = "let me in"


class Exporter:
    """One running exporter; a context manager that leaves no process behind."""

    def __init__(self, config: str, *more: str, env: Mapping[str, str] | None = None) -> None:
        """``config`` is the text of its file."""
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="jmx-")
        self.config_path = Path(self._folder.name) / "jmx.yml"
        self.config_path.write_text(config)
        self.log_path = Path(self._folder.name) / "log"
        self._env = {**os.environ, **(env or {})}
        program = str(Path(sys.executable).with_name("pinnace"))
        self.command = [
            program, "adapter", "jmx", *more, f"127.0.0.1:{self.port}", str(self.config_path),
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self._env
            )
        try:
            until(self._serves, 20)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()  # not killed: the measurer of coverage writes at the end
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if error is not None:
            sys.stderr.write(self.log_text()[-4000:])
        self._folder.cleanup()

    def _serves(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log_text()
        try:
            return self.get("/-/healthy")[0] == 200
        except OSError:
            return False

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def ask(
        self, path: str, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], str]:
        """Return status, headers and text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=80)
        try:
            connection.request("GET", path, headers=dict(headers or {}))
            response = connection.getresponse()
            body = response.read()
            if response.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            return response.status, dict(response.headers), body.decode()
        finally:
            connection.close()

    def get(self, path: str = "/metrics") -> tuple[int, str]:
        """Return status and text."""
        status, _, text = self.ask(path)
        return status, text

    def metrics(self, query: str = "") -> str:
        """Return a scrape that must be answered."""
        status, text = self.get(f"/metrics{query}")
        assert status == 200, text
        return text

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(20)

    def log_text(self) -> str:
        """Return everything it logged."""
        return self.log_path.read_text(errors="replace")


def value_of(text: str, series: str) -> float | None:
    """Return the value of a series, named as it is written."""
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return None if found is None else float(found[1])


def families_of(text: str) -> set[str]:
    """Return the names of families."""
    return set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))


class KeyStores:
    """A server's and a client's key and certificate, in all formats, made by other programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("server", "client", "stranger"):
            self._openssl(
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                f"/CN={name}.example.org", "-keyout", f"{name}.key", "-out", f"{name}.crt",
            )  # fmt: skip
            both = (folder / f"{name}.key").read_text() + (folder / f"{name}.crt").read_text()
            (folder / f"{name}.pem").write_text(both)
            self._openssl(
                "pkcs12", "-export", "-inkey", f"{name}.key", "-in", f"{name}.crt", "-name", name,
                "-out", f"{name}.p12", "-passout", f"pass:{PASSWORD}",
            )  # fmt: skip
        self.trust("client", "trusts_client.p12", "PKCS12")
        self.trust("server", "trusts_server.jks", "JKS")

    def __getitem__(self, name: str) -> Path:
        return self.folder / name

    def trust(self, name: str, file: str, kind: str) -> None:
        """Make a store by keytool that trusts a certificate."""
        self.keytool(
            "-importcert", "-noprompt", "-alias", name, "-file", f"{name}.crt",
            "-keystore", file, "-storetype", kind, "-storepass", PASSWORD,
        )  # fmt: skip

    def keytool(self, *words: str) -> None:
        """Run Java's own tool."""
        self._run("keytool", "-J-XX:TieredStopAtLevel=1", *words)

    def _openssl(self, *words: str) -> None:
        self._run("openssl", *words)

    def _run(self, *words: str) -> None:
        subprocess.run(words, cwd=self.folder, check=True, capture_output=True, timeout=60)
