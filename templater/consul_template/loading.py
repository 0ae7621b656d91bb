"""Configuration files and folders from disk, in the order that lets the right one win. Blocks."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sidecar.errors import ConfigError
from templater.consul_template.keys import IGNORED, SCHEMA
from templater.consul_template.options import CommandLine
from templater.consul_template.schema import Schema, Tree, merged, read_file
from templater.consul_template.settings import Settings

__all__ = ["notes_of", "read_paths", "settings_of"]


def settings_of(given: CommandLine, environ: Mapping[str, str]) -> tuple[Settings, list[str]]:
    """Return the settings of a command line and its files, and notes for the log.

    Raises ConfigError with every mistake.
    """
    tree = merged(read_paths(given.paths, SCHEMA), given.tree)
    return Settings.of(tree, environ, is_dry=given.is_dry), notes_of(tree)


def read_paths(paths: Sequence[str], schema: Schema) -> Tree:
    """Return files and folders as one tree; the later wins. Raises ConfigError."""
    tree: Tree = {}
    problems: list[str] = []
    for path in paths:
        for file in _files(Path(path)):
            try:
                text = file.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                problems.append(f"{file}: {getattr(error, 'strerror', None) or error}")
                continue
            found, wrong = read_file(text, str(file), schema)
            problems += wrong
            tree = merged(tree, found)
    if problems:
        raise ConfigError(problems)
    return tree


def notes_of(tree: Tree) -> list[str]:
    """Return a line for each block that is accepted and has no effect."""
    return [
        f"{name} has no effect: {why}"
        for name, why in IGNORED.items()
        if tree.get(name, {}).get("enabled") or (name == "telemetry" and _is_elsewhere(tree))
    ]


def _is_elsewhere(tree: Tree) -> bool:
    """Say whether metrics are wanted in a way that is not there."""
    return bool(tree.get("telemetry", {}).keys() - {"prometheus"})


def _files(path: Path) -> Iterator[Path]:
    """Yield a file, or all files of a folder and below in lexical order."""
    if not path.is_dir():
        yield path  # what cannot be read is told by who reads it
        return
    for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        elif not entry.is_dir():
            yield Path(entry.path)
