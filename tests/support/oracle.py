"""Real programs of other makers that tests compare with: there, or a reason to skip."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.tools import consul, resolved, vmagent
from deploy.tools.debian import Unavailable

__all__ = ["consul_program", "insist", "insist_on", "resolved_program", "vmagent_program"]


def consul_program() -> Path:
    """Return Consul 1.8.7; skip when it cannot be had, fail in CI."""
    return _had(consul.binary)


def vmagent_program() -> Path:
    """Return vmagent of this machine's Debian release; skip when it cannot be had, fail in CI."""
    return _had(vmagent.binary)


def resolved_program() -> Path:
    """Return systemd-resolved of this machine's Debian release, not installed."""
    return _had(resolved.binary)


def _had(program: Callable[[], Path]) -> Path:
    try:
        return program()
    except Unavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"not to be had here: {error}")


def insist(reason: str | None) -> None:
    """Skip when there is a reason why a real part cannot run here; fail in CI."""
    if reason is not None:
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


def insist_on(program: str, package: str) -> str:
    """Return the path of a program; without it the test is skipped, in CI it fails."""
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin:/lib/systemd")
    insist(None if found else f"missing: {program} (Debian package {package})")
    return found or ""
