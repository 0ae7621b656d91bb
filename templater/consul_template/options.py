"""consul-template's command line: flags in Go's syntax, to a tree that wins over files. Pure."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from sidecar.config import goflags
from sidecar.config.goflags import Flag, FlagError
from sidecar.golang.quoting import quoted
from templater.consul_template.keys import FLAGS
from templater.consul_template.schema import Kind, Tree, converted, merged, wait_of

__all__ = ["OPTIONS", "CommandLine", "command_line", "flag_value", "template_of"]

_PARTS: Final = re.compile(r"([a-zA-Z]:)?([^:]+)")

OPTIONS: Final = (
    Flag("config", "string", "A configuration file or folder; may be repeated", ""),
    Flag("dry", "bool", "Print what would be written", False),
    Flag("template", "string", "A template as in:out:command; may be repeated", ""),
    Flag("v", "bool", "Print the version", False),
    Flag("version", "bool", "Print the version", False),
    *(
        Flag(name, "bool" if kind is Kind.BOOL else "string", f"Sets {'.'.join(path)}", "")
        for name, (path, kind) in FLAGS.items()
    ),
)


class CommandLine(NamedTuple):
    """What a command line says."""

    tree: Tree
    paths: tuple[str, ...]
    is_dry: bool = False
    is_version: bool = False


def command_line(words: Sequence[str]) -> CommandLine:
    """Return what the words say. Raises FlagError, and Help of ``goflags``."""
    parsed = goflags.parse(OPTIONS, words)
    if parsed.rest:
        extra = " ".join(map(quoted, parsed.rest))
        raise FlagError(f"cli: extra args: [{extra}]")
    tree: Tree = {}
    for name, values in parsed.given.items():
        if name in FLAGS:
            for value in values:
                tree = merged(tree, _setting(name, value))
    templates = []
    for text in parsed.all("template"):
        try:
            templates.append(template_of(text))
        except ValueError as error:
            raise _wrong("template", text, error) from None
    if templates:
        tree["template"] = templates
    is_version = parsed.is_on("v") or parsed.is_on("version")
    return CommandLine(tree, parsed.all("config"), parsed.is_on("dry"), is_version)


def _setting(name: str, value: str | int | bool) -> Tree:
    path, kind = FLAGS[name]
    try:
        found: object = flag_value(name, kind, value)
    except ValueError as error:
        raise _wrong(name, str(value), error) from None
    for key in reversed(path):
        found = {key: found}
    return found if isinstance(found, dict) else {}


def flag_value(name: str, kind: Kind, value: str | int | bool) -> object:
    """Return what is put into the tree for a flag's value. Raises ValueError."""
    text = str(value)
    if name == "consul-auth":
        user, _, password = text.partition(":")
        return {"username": user, "password": password}
    if kind is Kind.WAIT:
        return wait_of(text)
    if kind is Kind.STRINGS:
        return [text]
    if kind is Kind.INT:
        if not re.fullmatch(r"[+-]?[0-9]{1,9}", text, re.ASCII):
            raise ValueError(f"strconv.ParseInt: parsing {quoted(text)}: invalid syntax")
        return int(text)
    return converted(kind, value)


def _wrong(name: str, text: str, error: ValueError) -> FlagError:
    return FlagError(f"invalid value {quoted(text)} for flag -{name}: {error}")


def template_of(text: str) -> Tree:
    """Return the template of ``in:out:command``. Raises ValueError."""
    if not text.strip():
        raise ValueError("template: cannot be empty")
    parts = [found[0] for found in _PARTS.finditer(text)]
    tree: Tree = {"source": parts[0]} if parts else {}
    if len(parts) > 1:
        tree["destination"] = parts[1]
    if len(parts) > 2:
        tree["command"] = (":".join(parts[2:]),)
    return tree
