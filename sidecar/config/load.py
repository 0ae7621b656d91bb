"""Flags, environment, file and defaults to one ``Settings``: the first that says something wins.

``load`` reads the file; ``settle`` does the rest and is pure. Every mistake in every source is
reported at once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from sidecar.config import sources
from sidecar.config.keys import KEYS, TEMPLATES
from sidecar.config.model import Settings
from sidecar.config.rules import contradictions
from sidecar.config.sources import Found, Origin
from sidecar.errors import ConfigError

__all__ = ["FILE_VARIABLE", "Loaded", "Origin", "load", "settle"]

FILE_VARIABLE: Final = "PINNACE_CONFIG"
_LARGEST_FILE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings and, by key (``"dns.listen"``), where each comes from."""

    settings: Settings
    origins: Mapping[str, Origin]


def load(flags: Mapping[str, str], environ: Mapping[str, str], file: str | None) -> Loaded:
    """Return the settings of flags (``{"--http": ...}``), variables and a TOML file.

    Without ``file``, ``PINNACE_CONFIG`` names it; there is no default file. Raises ConfigError
    with every mistake.
    """
    name = file or environ.get(FILE_VARIABLE) or None
    if name is None:
        return settle(flags, environ)
    mistakes: list[str] = []
    return settle(flags, environ, _text_of(name, mistakes), name, mistakes)


def settle(
    flags: Mapping[str, str],
    environ: Mapping[str, str],
    text: str = "",
    name: str = "",
    mistakes: Iterable[str] = (),
) -> Loaded:
    """Return the settings when the file ``name`` holds ``text``; more ``mistakes`` come first."""
    found = list(mistakes)
    values: dict[str, Found] = {}
    # Weakest first, so that a later one overrides.
    for item in chain(
        sources.file(text, name, found),
        sources.environment(environ, found),
        sources.flags(flags, found),
    ):
        values[str(item.key)] = item
    if "docker.url" not in values:
        values |= {str(item.key): item for item in sources.docker_host(environ, found)}
    if found:
        raise ConfigError(found)
    return _loaded(values)


def _loaded(values: Mapping[str, Found]) -> Loaded:
    sections: dict[str, dict[str, object]] = {}
    origins: dict[str, Origin] = {}
    for name, key in KEYS.items():
        item = values.get(name)
        origins[name] = Origin("default") if item is None else item.origin
        if item is not None:
            sections.setdefault(key.section, {})[key.name] = item.value
    settings = msgspec.convert(sections, Settings)
    if (found := values.get(str(TEMPLATES))) is not None:
        settings = msgspec.structs.replace(settings, template=found.value)
    if wrong := contradictions(settings):
        raise ConfigError(wrong)
    return Loaded(settings, MappingProxyType(origins))


def _text_of(name: str, mistakes: list[str]) -> str:
    """Read the file; the only IO of this package."""
    try:
        with Path(name).open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else error
        mistakes.append(f"{name}: cannot be read: {reason}")
        return ""
    if len(data) > _LARGEST_FILE:
        mistakes.append(f"{name}: is larger than 1 MiB")
        return ""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        mistakes.append(f"{name}:{line}:{column}: is not UTF-8 text")
        return ""
