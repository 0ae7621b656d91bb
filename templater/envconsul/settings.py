"""What a run is asked to do: frozen settings made of read configuration. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from sidecar.errors import ConfigError
from sidecar.gotemplate.failures import TemplateError
from templater.consul_template import settings as shared
from templater.consul_template.schema import Tree, merged
from templater.consul_template.settings import ExecSettings, WaitSettings
from templater.envconsul.formats import NameFormat
from templater.envconsul.keys import IGNORED, MOVED, SERVICE_FORMATS

__all__ = ["Origin", "ServiceOrigin", "Settings", "modern", "notes_of"]

_SHARED: Final = (
    "consul", "exec", "kill_signal", "log_file", "log_level", "max_stale", "metrics_addr",
    "pid_file", "reload_signal", "syslog", "vault",
)  # fmt: skip
_LOG_LEVELS: Final = ("CT_LOG", "ENVCONSUL")


@dataclass(frozen=True, slots=True)
class Origin:
    """A prefix of keys or a secret, and how its variables are named."""

    path: str
    has_prefix: bool
    """Whether names begin with the path."""
    format: NameFormat | None = None
    keys: Mapping[str, tuple[NameFormat, ...]] | None = None
    """Of a secret: only these fields, and their own formats."""

    @classmethod
    def of(cls, tree: Tree, *, is_secret: bool) -> Self:
        """Return what a block says. Raises TemplateError."""
        no_prefix = tree.get("no_prefix", not is_secret)
        keys: dict[str, tuple[NameFormat, ...]] = {}
        for one in tree.get("key", ()):
            own = (NameFormat(one["format"]),) if one.get("format") else ()
            keys[one.get("name", "")] = keys.get(one.get("name", ""), ()) + own
        return cls(
            path=tree.get("path", ""),
            has_prefix=not no_prefix,
            format=NameFormat(tree["format"]) if tree.get("format") else None,
            keys=keys if "key" in tree else None,
        )


@dataclass(frozen=True, slots=True)
class ServiceOrigin:
    """A query for instances, and how their variables are named."""

    query: str
    formats: Mapping[str, NameFormat]

    @classmethod
    def of(cls, tree: Tree) -> Self:
        """Return what a block says. Raises TemplateError."""
        named = {field: tree.get(f"format_{field}", "") for field in SERVICE_FORMATS}
        formats = {field: NameFormat(text) for field, text in named.items() if text}
        return cls(tree.get("query", ""), formats)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A whole run; ``shared`` is what consul-template has too."""

    shared: shared.Settings
    prefixes: tuple[Origin, ...] = ()
    services: tuple[ServiceOrigin, ...] = ()
    secrets: tuple[Origin, ...] = ()
    is_pristine: bool = False
    is_sanitized: bool = False
    is_upper: bool = False
    is_once: bool = False
    wait: WaitSettings | None = None
    reload_command: tuple[str, ...] = ()

    @property
    def child(self) -> ExecSettings:
        """Return how the child is run."""
        return self.shared.child

    @classmethod
    def of(cls, tree: Tree, environ: Mapping[str, str], *, is_once: bool = False) -> Self:
        """Return the settings of merged configuration. Raises ConfigError."""
        tree = modern(tree)
        common: Tree = {name: tree[name] for name in _SHARED if name in tree}
        run = tree.get("exec", {})
        found = cls(
            shared=shared.Settings.of(
                {**common, "once": is_once}, environ, program="envconsul", variables=_LOG_LEVELS
            ),
            prefixes=_origins(tree, "prefix"),
            services=_services(tree),
            secrets=_origins(tree, "secret"),
            is_pristine=tree.get("pristine", False),
            is_sanitized=tree.get("sanitize", False),
            is_upper=tree.get("upcase", False),
            is_once=is_once,
            wait=WaitSettings.of(tree.get("wait")),
            reload_command=tuple(run.get("reload_command", ())),
        )
        if not found.child.command:
            raise ConfigError(["No command given"])
        return found


def modern(tree: Tree) -> Tree:
    """Return configuration with what has moved in its place; what stands there wins."""
    moved: Tree = {}
    for name, paths in MOVED.items():
        if name not in tree:
            continue
        for path in paths:
            inner: Any = tree[name]
            for key in reversed(path):
                inner = {key: inner}
            moved = merged(moved, inner)
    return merged(moved, {name: value for name, value in tree.items() if name not in MOVED})


def notes_of(tree: Tree) -> list[str]:
    """Return a line for each key that has moved, and for each that has no effect."""
    notes = [
        f"{name} is read as {' and '.join('.'.join(path) for path in paths) or 'nothing'}"
        for name, paths in MOVED.items()
        if name in tree
    ]
    for (block, key), why in IGNORED.items():
        if tree.get(block, {}).get(key):
            notes.append(f"{block}.{key} has no effect: {why}")
    return notes


def _origins(tree: Tree, name: str) -> tuple[Origin, ...]:
    found = []
    for number, block in enumerate(tree.get(name, ()), 1):
        if "path" not in block:
            continue  # the original leaves it out too
        try:
            found.append(Origin.of(block, is_secret=name == "secret"))
        except TemplateError as error:
            raise ConfigError([f"{name} {number}: {error}"]) from error
    return tuple(found)


def _services(tree: Tree) -> tuple[ServiceOrigin, ...]:
    found = []
    for number, block in enumerate(tree.get("service", ()), 1):
        try:
            found.append(ServiceOrigin.of(block))
        except TemplateError as error:
            raise ConfigError([f"service {number}: {error}"]) from error
    return tuple(found)
