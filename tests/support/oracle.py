"""Real programs of other makers that tests compare with: there, or a reason to skip."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.tools import consul, vmagent
from deploy.tools.debian import Unavailable

__all__ = ["consul_program", "insist", "vmagent_program"]


def consul_program() -> Path:
    """Return Consul 1.8.7; skip when it cannot be had, fail in CI."""
    return _had(consul.binary)


def vmagent_program() -> Path:
    """Return vmagent of this machine's Debian release; skip when it cannot be had, fail in CI."""
    return _had(vmagent.binary)


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
