"""Self-signed certificates, made by the openssl program."""

import subprocess
from pathlib import Path

__all__ = ["certificate"]


def certificate(
    folder: Path, name: str = "dns.example.org", *, stem: str = "tls"
) -> tuple[Path, Path]:
    """Make a certificate for a name and 127.0.0.1; return its file and that of its key."""
    cert, key = folder / f"{stem}.pem", folder / f"{stem}.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "30", "-subj", f"/CN={name}", "-keyout", key, "-out", cert),
            *("-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key
