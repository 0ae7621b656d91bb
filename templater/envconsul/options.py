"""envconsul's command line: flags in Go's syntax, then the command. Pure.

A format of a service's variables belongs to the query before it. The words of the command are put
together with blanks, as the original does: more than one word is a line for the shell.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sidecar.config import goflags
from sidecar.config.goflags import Flag, FlagError
from sidecar.golang.quoting import quoted
from templater.consul_template.options import flag_value
from templater.consul_template.schema import Kind, Tree, merged
from templater.envconsul.keys import FLAGS, SERVICE_FORMATS

__all__ = ["OPTIONS", "CommandLine", "command_line"]

_FORMATS: Final = {f"service-format-{field}": f"format_{field}" for field in SERVICE_FORMATS}
_SHORT: Final = {"auth": "consul-auth"}
OPTIONS: Final = (
    Flag("config", "string", "A configuration file or folder; may be repeated", ""),
    Flag("no-prefix", "bool", "Whether names go without the path they come from", False),
    Flag("once", "bool", "Read once, run the command, end with it", False),
    Flag("prefix", "string", "Keys of Consul below this become variables; may be repeated", ""),
    Flag("secret", "string", "Fields of this secret become variables; may be repeated", ""),
    Flag("service-query", "string", "Instances of this service become variables", ""),
    *(
        Flag(name, "string", "Names a variable of the query before it, as {{service}}/{{key}}", "")
        for name in _FORMATS
    ),
    Flag("v", "bool", "Print the version", False),
    Flag("version", "bool", "Print the version", False),
    *(
        Flag(
            name, "bool" if kind is Kind.BOOL else "string",
            f"Sets {' and '.join('.'.join(path) for path in paths)}", "",
        )
        for name, (paths, kind) in FLAGS.items()
    ),
)  # fmt: skip


class CommandLine(NamedTuple):
    """What a command line says."""

    tree: Tree
    paths: tuple[str, ...]
    is_once: bool = False
    is_version: bool = False


def command_line(words: Sequence[str]) -> CommandLine:
    """Return what the words say. Raises FlagError, and Help of ``goflags``."""
    parsed = goflags.parse(OPTIONS, words)
    tree: Tree = {}
    services: list[Tree] = []
    for name, value in parsed.order:
        if name in FLAGS:
            tree = merged(tree, _setting(name, value))
        elif name == "service-query":
            services.append({"query": str(value)})
        elif name in _FORMATS:
            if not services:
                raise FlagError(_wrong(name, value, "a -service-query must come before it"))
            services[-1][_FORMATS[name]] = str(value)
    for name in ("prefix", "secret"):
        if name in parsed.given:
            without = (
                {"no_prefix": parsed.is_on("no-prefix")} if "no-prefix" in parsed.given else {}
            )
            tree[name] = [{"path": text.removeprefix("/"), **without} for text in parsed.all(name)]
    if services:
        tree["service"] = services
    if (line := " ".join(parsed.rest)) and "command" not in tree.get("exec", {}):
        tree = merged(tree, {"exec": {"command": (line,), "enabled": True}})
    is_version = parsed.is_on("v") or parsed.is_on("version")
    return CommandLine(tree, parsed.all("config"), parsed.is_on("once"), is_version)


def _setting(name: str, value: str | int | bool) -> Tree:
    paths, kind = FLAGS[name]
    try:
        found = flag_value(_SHORT.get(name, name), kind, value)
    except ValueError as error:
        raise FlagError(_wrong(name, value, str(error))) from None
    tree: Tree = {}
    for path in paths:
        inner: object = found
        for key in reversed(path):
            inner = {key: inner}
        tree = merged(tree, inner) if isinstance(inner, dict) else tree
    return tree


def _wrong(name: str, value: object, why: str) -> str:
    return f"invalid value {quoted(str(value))} for flag -{name}: {why}"
