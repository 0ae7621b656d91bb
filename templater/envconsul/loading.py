"""A command line and its files to settings. Blocks."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from sidecar.errors import ConfigError
from templater.consul_template.loading import read_paths
from templater.consul_template.schema import Tree, merged
from templater.consul_template.settings import ExecSettings, is_shell
from templater.envconsul.keys import SCHEMA
from templater.envconsul.options import CommandLine
from templater.envconsul.settings import Settings, notes_of

__all__ = ["inherited", "settings_of"]

_PLAIN: Final = re.compile(r"[^;&|(){}`#!\\\n]+")
"""A line of the shell without lists, pipes, blocks and substitution of commands."""
_WORD: Final = re.compile(r"[\w./@%+:,-]+")
_STARTED: Final = Path("/proc/self/environ")
_HOME_TOKEN: Final = ".vault-token"  # noqa: S105  (a file's name)


def settings_of(given: CommandLine, environ: Mapping[str, str]) -> tuple[Settings, list[str]]:
    """Return the settings, and notes for the log. Raises ConfigError with every mistake."""
    tree = merged(read_paths(given.paths, SCHEMA), given.tree)
    notes = notes_of(tree)
    if "secret" in tree:
        tree = _with_token(tree, environ)
    settings = Settings.of(tree, environ, is_once=given.is_once)
    child = _found(settings.child, environ)
    return replace(settings, shared=replace(settings.shared, child=child)), notes


def inherited(environ: Mapping[str, str], path: Path = _STARTED) -> dict[str, str]:
    """Return the environment that we were given: Python adds a LC_CTYPE where there is no locale.

    PEP 538; the system keeps what a process was started with.
    """
    found = dict(environ)
    try:
        started = path.read_bytes()
    except OSError:
        return found
    if not any(line.startswith(b"LC_CTYPE=") for line in started.split(b"\0")):
        found.pop("LC_CTYPE", None)
    return found


def _found(child: ExecSettings, environ: Mapping[str, str]) -> ExecSettings:
    """Return the child with its program as our own PATH finds it: the child may have no PATH.

    A line of one plain command replaces the shell that reads it: otherwise the shell would stand
    between us and the child, die first of a signal, and its status would be ours.
    """
    if is_shell(child.command):
        line = child.command[0]
        program = line.split()[0]
        is_plain = _PLAIN.fullmatch(line) and _WORD.fullmatch(program)
        is_program = is_plain and shutil.which(program, path=environ.get("PATH"))
        return replace(child, command=(f"exec {line.lstrip()}",)) if is_program else child
    program = child.command[0].strip()
    found = shutil.which(program, path=environ.get("PATH"))
    return replace(child, command=(found or program, *child.command[1:]))


def _with_token(tree: Tree, environ: Mapping[str, str]) -> Tree:
    """Return the tree with Vault's token: the agent's file first, then as given, then at home."""
    vault = tree.get("vault", {})
    if agent := vault.get("vault_agent_token_file"):
        try:
            token = Path(agent).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise ConfigError([f"vault.vault_agent_token_file: {agent}: {why}"]) from error
    elif vault.get("token") or environ.get("VAULT_TOKEN"):
        return tree
    else:
        token = _home_token(environ)
    return merged(tree, {"vault": {"token": token}}) if token else tree


def _home_token(environ: Mapping[str, str]) -> str:
    home = environ.get("HOME")
    path = f"{home}/{_HOME_TOKEN}" if home else ""
    try:
        return Path(path).read_text("utf-8").strip() if path else ""
    except (OSError, UnicodeDecodeError):
        return ""
