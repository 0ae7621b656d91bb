"""Backends that an installed package adds."""

import sys
from pathlib import Path
from typing import Any

import pytest

from sidecar.errors import ConfigError
from sidecar.runtime.clock import FakeClock
from templater.backends.opening import PLUGINS, open_backend
from templater.confd.flags import parse
from templater.confd.settings import settings_of


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages with one that adds the backend ssm."""
    info = tmp_path / "clouds-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: clouds\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        f"[{PLUGINS}]\nssm = pinnace_test_clouds:opened\nacm = pinnace_test_clouds:missing\n"
    )
    (tmp_path / "pinnace_test_clouds.py").write_text(
        "def opened(settings, clock):\n    return settings.backend, settings.nodes, clock\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "pinnace_test_clouds", raising=False)
    return tmp_path


def _opened(backend: str) -> Any:
    settings = settings_of(parse(["-backend", backend, "-node", "n"]), "", "f", {}).settings
    return open_backend(settings, FakeClock(), {})


def test_a_package_adds_a_backend(packages: Path) -> None:
    assert packages.exists()
    name, nodes, clock = _opened("ssm")
    assert (name, nodes) == ("ssm", ("n",))
    assert isinstance(clock, FakeClock)


def test_a_package_that_cannot_be_loaded_is_told(packages: Path) -> None:
    assert packages.exists()
    with pytest.raises(ConfigError, match="backend acm: pinnace_test_clouds:missing cannot be"):
        _opened("acm")


def test_a_backend_that_no_package_adds_is_invalid() -> None:
    with pytest.raises(ConfigError, match="Invalid backend imds: no package adds it"):
        _opened("imds")
