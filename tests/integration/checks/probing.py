"""One run of one check, and a certificate to run it with."""

import asyncio
from pathlib import Path

from sidecar.checks.definition import CheckDefinition
from sidecar.checks.policy import CheckPolicy
from sidecar.checks.probes import Prober
from sidecar.checks.state import Result

__all__ = ["probe", "self_signed"]


async def probe(
    definition: CheckDefinition, policy: CheckPolicy | None = None, *, local: bool = True
) -> Result:
    """Run a check once."""
    async with Prober(policy or CheckPolicy()) as prober:
        return await prober.run(definition, local=local)


async def self_signed(folder: Path) -> tuple[Path, Path]:
    """Return a certificate of this host, good for an hour of tests, and its key."""
    certificate, key = folder / "c.pem", folder / "k.pem"
    process = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-days", "1", "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        *("-keyout", key, "-out", certificate),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() == 0
    return certificate, key
