"""Certificates for tests, made by openssl, and what a server shows a client."""

import asyncio
import hashlib
import ssl
import subprocess
from pathlib import Path

__all__ = ["make", "pair", "shown"]


def pair(folder: Path, name: str, *names: str) -> tuple[Path, Path]:
    """Make ``name.crt`` and ``name.key`` in a folder for some hosts; return both."""
    chain, key = folder / f"{name}.crt", folder / f"{name}.key"
    hosts = ",".join(f"DNS:{host}" for host in names or (name,))
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", f"/CN={name[:60]}",
            "-addext", f"subjectAltName={hosts}", "-keyout", str(key), "-out", str(chain),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return chain, key


def make(folder: Path, name: str, *names: str) -> str:
    """Make a pair and return the fingerprint of its certificate."""
    chain, _ = pair(folder, name, *names)
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(chain.read_text())).hexdigest()


async def shown(port: int, host: str) -> str | None:
    """Return the fingerprint of what a server shows for a name, None: it refuses."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=host
        )
    except (ssl.SSLError, ConnectionError):
        return None
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return hashlib.sha256(found).hexdigest()
