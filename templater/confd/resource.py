"""A template resource: one TOML file of ``conf.d``. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sidecar.config.document import Document, parse
from sidecar.config.units import go_duration
from sidecar.errors import ConfigError
from templater.confd.numbers import parse_uint
from templater.confd.paths import full_prefix, join
from templater.keeping.target import Target

__all__ = ["Read", "Resource", "read_resource"]

_FORMATS: Final = ("json", "yaml", "yml", "toml", "xml")
_TEXTS: Final = (
    "src", "dest", "prefix", "mode", "owner", "group", "check_cmd", "reload_cmd", "output_format",
    "check_cmd_timeout", "reload_cmd_timeout", "min_reload_interval", "debounce", "reload_group",
)  # fmt: skip
_NUMBERS: Final = ("uid", "gid", "min_keys")
_KNOWN: Final = frozenset({*_TEXTS, *_NUMBERS, "keys"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource(Target):
    """What to render, from which keys, to where, and what to run around it.

    Its name is the path of the TOML file.
    """

    src: str
    prefix: str = "/"
    keys: tuple[str, ...] = ()
    """With the prefix."""
    check_cmd: str = ""
    reload_cmd: str = ""
    check_timeout: float | None = None
    reload_timeout: float | None = None
    output_format: str = ""
    reload_group: str = ""
    """Resources of one group are reloaded once, by the same command (ours)."""
    min_keys: int = 0
    """Fewer values than this are not believed (ours)."""
    backend: Mapping[str, object] | None = None
    """A backend of its own, as settings by TOML key."""


class Read(NamedTuple):
    """A resource, and what is odd about its file."""

    resource: Resource
    warnings: tuple[str, ...]


def read_resource(text: str, name: str, *, prefix: str, is_joined: bool) -> Read:
    """Return the resource of a file; ``prefix`` is the global one. Raises ConfigError."""
    document = parse(text)
    if document.mistakes:
        raise ConfigError(
            [
                f"{name}:{at}: {words}" if at else f"{name}: {words}"
                for at, words in document.mistakes
            ]
        )
    # Go finds tables and keys whatever their case.
    tables = {key.lower(): (key, value) for key, value in document.values.items()}
    title, table = tables.get("template", ("template", {}))
    if not isinstance(table, Mapping):
        table = {}
    problems = _Problems(name, document, title)
    values = problems.checked(table)
    if not values.texts["src"]:
        problems.found.append(f"{name}: empty src template")
    if not values.texts["dest"]:
        problems.found.append(f"{name}: empty dest")
    resource = _resource(
        name, values, problems, prefix, is_joined, tables.get("backend", ("", None))[1]
    )
    if problems.found:
        raise ConfigError(problems.found)
    return Read(resource, tuple(problems.warnings))


class _Table(NamedTuple):
    texts: Mapping[str, str]
    numbers: Mapping[str, int]
    keys: Sequence[str]


class _Problems:
    """What is wrong with a file, each with its place."""

    def __init__(self, name: str, document: Document, title: str) -> None:
        self._title = title
        self._name = name
        self._document = document
        self.found: list[str] = []
        self.warnings: list[str] = []

    def place(self, key: str) -> str:
        """Return where a key of the table stands."""
        at = self._document.positions.get((self._title, key))
        return f"{self._name}:{at}" if at else self._name

    def checked(self, table: Mapping[str, object]) -> _Table:
        """Return the values by type; note what has another."""
        given = {key.lower(): (key, value) for key, value in table.items()}
        for key, _ in given.values():
            if key.lower() not in _KNOWN:
                self.warnings.append(f"{self.place(key)}: unknown key '{key}'")
        texts = {key: self._typed(given, key, str, "") for key in _TEXTS}
        numbers = {key: self._typed(given, key, int, -1) for key in _NUMBERS}
        keys = self._typed(given, "keys", list, [])
        if not all(isinstance(key, str) for key in keys):
            self.found.append(f"{self.place('keys')}: keys must be a list of texts")
            keys = []
        return _Table(texts, numbers, keys)

    def _typed(
        self, given: Mapping[str, tuple[str, object]], key: str, kind: type, default: object
    ) -> Any:
        name, value = given.get(key, (key, default))
        if isinstance(value, kind) and not isinstance(value, bool):
            return value
        words = {str: "text in quotes", int: "a whole number", list: "a list"}[kind]
        self.found.append(f"{self.place(name)}: {key} must be {words}")
        return default

    def seconds(self, key: str, text: str) -> float:
        """Return a duration such as ``30s``; 0 when it is empty or wrong."""
        try:
            return go_duration(text) if text else 0.0
        except ValueError as error:
            self.found.append(f"{self.place(key)}: {error}")
            return 0.0

    def mode(self, text: str) -> int | None:
        """Return the bits of a mode; warn of one that is decimal by accident."""
        try:
            value = parse_uint(text) if text else None
        except ValueError as error:
            self.found.append(f"{self.place('mode')}: {error}")
            return None
        if value is not None and text.isdigit() and not text.startswith("0"):
            self.warnings.append(
                f'{self.place("mode")}: mode "{text}" is decimal and means 0{value & 0o777:o}; '
                f'write "0{text}" for octal'
            )
        return None if value is None else value & 0o777


def _resource(  # noqa: PLR0917
    name: str,
    values: _Table,
    problems: _Problems,
    prefix: str,
    is_joined: bool,
    backend: object,
) -> Resource:
    texts, numbers = values.texts, values.numbers
    if texts["output_format"] and texts["output_format"] not in _FORMATS:
        place = problems.place("output_format")
        problems.found.append(f"{place}: output_format must be one of {' '.join(_FORMATS)}")
    whole = full_prefix(prefix, texts["prefix"], is_joined=is_joined)
    return Resource(
        name=name,
        src=texts["src"],
        dest=texts["dest"],
        prefix=whole,
        keys=tuple(join(whole, key) for key in values.keys),
        mode=problems.mode(texts["mode"]),
        uid=numbers["uid"],
        gid=numbers["gid"],
        owner=texts["owner"],
        group=texts["group"],
        check_cmd=texts["check_cmd"],
        reload_cmd=texts["reload_cmd"],
        check_timeout=problems.seconds("check_cmd_timeout", texts["check_cmd_timeout"]) or None,
        reload_timeout=problems.seconds("reload_cmd_timeout", texts["reload_cmd_timeout"]) or None,
        min_reload_interval=problems.seconds("min_reload_interval", texts["min_reload_interval"]),
        debounce=problems.seconds("debounce", texts["debounce"]),
        output_format=texts["output_format"],
        reload_group=texts["reload_group"],
        min_keys=max(numbers["min_keys"], 0),
        backend=backend if isinstance(backend, Mapping) else None,
    )
