"""A certificate authority that answers as Vault's does, by the openssl program."""

import subprocess
import time
from pathlib import Path
from threading import Lock
from typing import Any

__all__ = ["Authority"]

_CONFIG = """\
[ca]
default_ca = own
[own]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
[req]
distinguished_name = none
[none]
"""


class Authority:
    """One root; what it signs begins now."""

    def __init__(self, folder: Path) -> None:
        """Make the root in a folder, which must be empty."""
        self._folder = folder
        self._lock = Lock()
        self.count = 0
        folder.mkdir(parents=True)
        (folder / "config").write_text(_CONFIG)
        (folder / "index").touch()
        (folder / "serial").write_text("1000\n")
        self._run(
            *("req", "-x509", "-config", "config", *self._new_key("ca.key"), "-days", "30"),
            *("-subj", "/CN=Root", "-addext", "basicConstraints=critical,CA:TRUE"),
            *("-out", "ca.pem"),
        )
        self.root = (folder / "ca.pem").read_text()

    def issue(self, name: str, seconds: int) -> dict[str, Any]:
        """Return the data of Vault's answer for a new certificate; texts end without a newline."""
        with self._lock:
            self._run(
                *("req", "-new", "-config", "config", *self._new_key("new.key")),
                *("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"),
                *("-out", "new.csr"),
            )
            now = time.time()
            self._run(
                *("ca", "-batch", "-notext", "-config", "config", "-cert", "ca.pem"),
                *("-keyfile", "ca.key", "-in", "new.csr", "-out", "new.pem"),
                *("-startdate", _stamp(now), "-enddate", _stamp(now + seconds)),
            )
            self.count += 1
            texts = {
                one: (self._folder / one).read_text().strip() for one in ("new.pem", "new.key")
            }
        return {
            "certificate": texts["new.pem"],
            "issuing_ca": self.root.strip(),
            "ca_chain": [self.root.strip()],
            "private_key": texts["new.key"],
            "private_key_type": "ec",
            "serial_number": "10:01",
            "expiration": int(now + seconds),
        }

    def _new_key(self, name: str) -> tuple[str, ...]:
        curve = "ec_paramgen_curve:P-256"
        return ("-newkey", "ec", "-pkeyopt", curve, "-nodes", "-keyout", name)

    def _run(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self._folder, check=True, capture_output=True)


def _stamp(wall: float) -> str:
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(wall))
