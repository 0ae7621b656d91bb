"""The folder of confd: its resources, and how to notice that something in it changed. Blocks."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sidecar.errors import ConfigError
from sidecar.runtime.log import get_logger
from templater.backends.files import Signature, signature
from templater.confd.resource import Resource, read_resource
from templater.confd.settings import Settings

__all__ = ["Project", "load", "resource_signature", "source_signatures", "templates_of"]

_log = get_logger("confd")


class Project(NamedTuple):
    """The good resources by file name, and what is wrong with the others."""

    resources: tuple[Resource, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def templates_of(settings: Settings) -> Path:
    """Return the folder of templates."""
    return Path(settings.confdir) / "templates"


def load(settings: Settings) -> Project:
    """Read all template resources; a bad one does not hide the good ones."""
    problems: list[str] = []
    warnings: list[str] = []
    resources: list[Resource] = []
    if not Path(settings.confdir).is_dir():
        warnings.append(
            f"Cannot load template resources: confdir '{settings.confdir}' does not exist"
        )
    elif not (folder := Path(settings.confdir) / "conf.d").is_dir():
        problems.append(f"stat {folder}: no such file or directory")
    _log.debug(f"Loading template resources from confdir {settings.confdir}")
    files = _files(settings)
    if not (files or warnings or problems):
        warnings.append("Found no templates")
    for path in files:
        _log.debug(f"Found template: {path}")
    for path in files:
        if not _is_wanted(path, settings["resource"]):
            continue
        _log.debug(f"Loading template resource from {path}")
        try:
            read = read_resource(
                path.read_text("utf-8-sig"), str(path),
                prefix=settings.prefix, is_joined=settings.joins_prefixes,
            )  # fmt: skip
        except ConfigError as error:
            problems += error.problems
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{path}: {error}")
        else:
            resources.append(read.resource)
            warnings += read.warnings
    warnings += _doubles(resources)
    warnings += _disagreeing(resources)
    return Project(tuple(resources), tuple(problems), tuple(warnings))


def resource_signature(settings: Settings) -> Signature:
    """Return what tells whether a resource file was changed, added or removed."""
    return signature(_files(settings))


def source_signatures(sources: Mapping[str, Sequence[Path]]) -> dict[str, Signature]:
    """Return, by resource, what tells whether its template or what it includes was changed."""
    return {name: signature(paths) for name, paths in sources.items()}


def _files(settings: Settings) -> list[Path]:
    """Return the files whose name ends in ``toml``, as confd finds them."""
    found = []
    for place, folders, names in os.walk(Path(settings.confdir) / "conf.d"):
        folders.sort()
        found += [Path(place, name) for name in sorted(names) if name.endswith("toml")]
    return found


def _is_wanted(path: Path, name: str) -> bool:
    return not name or name in {str(path), path.name, path.stem}


def _doubles(resources: list[Resource]) -> list[str]:
    seen: dict[str, str] = {}
    doubles = []
    for one in resources:
        if one.dest in seen:
            doubles.append(f"{one.name}: {one.dest} is also written by {seen[one.dest]}")
        seen.setdefault(one.dest, one.name)
    return doubles


def _disagreeing(resources: list[Resource]) -> list[str]:
    """Return a line for each resource whose group is reloaded by another command."""
    first: dict[str, Resource] = {}
    lines = []
    for one in resources:
        other = first.setdefault(one.reload_group, one) if one.reload_group else one
        if other.reload_cmd != one.reload_cmd:
            lines.append(f"{one.name}: its reload_cmd is not that of {other.name}, of one group")
    return lines
