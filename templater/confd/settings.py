"""What a run is told, from all sources: defaults < confd.toml < environment < flags. Pure.

confd itself decodes the file over its flags, so there the file wins, against its documentation.
Here the documented order holds, and each value of the file that a flag replaces is told.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sidecar.config.document import parse as parse_document
from sidecar.config.units import duration, endpoint
from sidecar.errors import ConfigError
from sidecar.golang.reading import truth
from templater.confd.flags import Given
from templater.confd.options import BACKENDS, CLOUDS, OPTIONS, Dialect, Kind

__all__ = ["Settings", "Sources", "own_backend", "settings_of"]

_LEVELS: Final = ("panic", "fatal", "error", "warn", "warning", "info", "debug")
_NODES: Final[Mapping[str, str]] = {
    "consul": "127.0.0.1:8500",
    "etcd": "http://127.0.0.1:4001",
    "etcdv2": "http://127.0.0.1:4001",
    "etcdv3": "127.0.0.1:2379",
    "pinnace": "127.0.0.1:8500",
    "rancher": "http://rancher-metadata.rancher.internal",
    "redis": "127.0.0.1:6379",
    "vault": "http://127.0.0.1:8200",
    "zookeeper": "127.0.0.1:2181",
}
_CONFD_VARIABLES: Final = ("client-ca-keys", "client-cert", "client-key")
_READERS: Final[Mapping[Kind, Callable[[str], object]]] = {
    Kind.BOOL: truth,
    Kind.NUMBER: duration,
    Kind.SECONDS: duration,
}
_UNWATCHED: Final = ("dynamodb", "ssm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One run. Texts by flag for what only a backend needs; ``[]`` gives them."""

    dialect: Dialect
    backend: str
    nodes: tuple[str, ...]
    confdir: str
    interval: float
    has_interval: bool
    """Whether an interval was asked for; then a watching run looks at everything that often too."""
    is_watching: bool
    is_onetime: bool
    is_noop: bool
    is_sync_only: bool
    keeps_stage: bool
    prefix: str
    log_level: str
    files: tuple[str, ...]
    texts: Mapping[str, str] = field(repr=False)

    def __getitem__(self, flag: str) -> str:
        """Return an option as text."""
        return self.texts[flag]

    def is_on(self, flag: str) -> bool:
        """Return an option that is a boolean."""
        return truth(self.texts[flag])

    def seconds(self, flag: str) -> float:
        """Return an option that is a duration."""
        return duration(self.texts[flag])

    @property
    def joins_prefixes(self) -> bool:
        """Whether the global prefix stands before that of a resource."""
        return self.dialect is Dialect.FORK


class Sources(NamedTuple):
    """Settings, and what a person should know about how they came about."""

    settings: Settings
    notes: tuple[str, ...]


_Values = dict[str, Sequence[str]]


def settings_of(
    given: Given, text: str, file: str, environ: Mapping[str, str], *, is_default_file: bool = True
) -> Sources:
    """Return the settings; ``text`` is that of confd.toml, ``file`` its name. Raises ConfigError.

    ``is_default_file`` is only told in messages.
    """
    notes: list[str] = []
    problems: list[str] = []
    low = _from_file(text, file, problems, notes)
    middle = _from_environment(environ, given.dialect)
    for flag in sorted(low.keys() & (given.values.keys() | middle.keys())):
        strong = given.values.get(flag) or middle[flag]
        if list(strong) != list(low[flag]):
            source = "the command line" if flag in given.values else "the environment"
            key = OPTIONS[flag].key
            notes.append(f"{file}: {key} is overridden by {source}" + _was(is_default_file))
    if problems:
        raise ConfigError(problems)
    values: _Values = {**low, **middle, **given.values}
    places = {
        **dict.fromkeys(low, f"{file}: "),
        **dict.fromkeys(middle, "environment: "),
        **dict.fromkeys(given.values, ""),
    }
    return Sources(_settings(values, given.dialect, environ, places), tuple(notes))


def _was(is_default: bool) -> str:
    return "" if is_default else " (confd itself would take the file's)"


def own_backend(settings: Settings, table: Mapping[str, object], place: str) -> Settings:
    """Return the settings for a resource's own backend. Raises ConfigError."""
    problems: list[str] = []
    values: _Values = {flag: [text] for flag, text in settings.texts.items()}
    values.pop("node", None)
    values |= _decoded(table, place, problems, [])
    if problems:
        raise ConfigError(problems)
    return _settings(values, settings.dialect, {}, dict.fromkeys(values, f"{place}: "))


def _from_file(text: str, file: str, problems: list[str], notes: list[str]) -> _Values:
    document = parse_document(text)
    problems += [f"{file}:{at}: {words}" if at else f"{file}: {words}"
                 for at, words in document.mistakes]  # fmt: skip
    return _decoded(document.values, file, problems, notes)


def _decoded(
    table: Mapping[str, object], place: str, problems: list[str], notes: list[str]
) -> _Values:
    """Return values by flag; keys are found whatever their case, as Go does."""
    flags = {option.key: name for name, option in OPTIONS.items() if option.key}
    flags |= {name: name for name in OPTIONS} | {"keep-stage-file": "keep-stage-file"}
    found: _Values = {}
    for key, value in table.items():
        flag = flags.get(key.lower())
        if flag is None:
            notes.append(f"{place}: unknown key '{key}'")
            continue
        texts = _texts(value, OPTIONS[flag].kind)
        if texts is None:
            problems.append(f"{place}: {key} has the wrong type")
        else:
            found[flag] = texts
    return found


def _texts(value: object, kind: Kind) -> Sequence[str] | None:
    match value:
        case bool():
            return ["true" if value else "false"] if kind is Kind.BOOL else None
        case int() | float():
            return [str(value)] if kind in {Kind.SECONDS, Kind.NUMBER} else None
        case str():
            return [value] if kind is not Kind.BOOL else None
        case list() if kind is Kind.LIST and all(isinstance(item, str) for item in value):
            return value
        case _:
            return None


def _from_environment(environ: Mapping[str, str], dialect: Dialect) -> _Values:
    flags: Iterable[str] = OPTIONS if dialect is Dialect.FORK else _CONFD_VARIABLES
    found: _Values = {}
    for flag in flags:
        name = "CONFD_" + flag.upper().replace("-", "_")
        old = "CONFD_CLIENT_CAKEYS" if flag == "client-ca-keys" else name
        value = environ.get(name) or environ.get(old)
        if value:
            found[flag] = value.split(",") if OPTIONS[flag].kind is Kind.LIST else [value]
    return found


def _settings(
    values: Mapping[str, Sequence[str]],
    dialect: Dialect,
    environ: Mapping[str, str],
    places: Mapping[str, str],
) -> Settings:
    """Return the settings; ``places`` says where each value stands. Raises ConfigError."""
    texts = {name: option.default for name, option in OPTIONS.items()}
    texts |= {name: many[-1] for name, many in values.items() if many}
    problems = [f"{places.get(flag, '')}{words}" for flag, words in _problems(texts)]
    if problems:
        raise ConfigError(problems)
    backend = texts["backend"]
    return Settings(
        dialect=dialect,
        backend=backend,
        nodes=_nodes(backend, values.get("node", ()), environ),
        confdir=texts["confdir"],
        interval=duration(texts["interval"]),
        has_interval="interval" in values,
        is_watching=truth(texts["watch"]),
        is_onetime=truth(texts["onetime"]),
        is_noop=truth(texts["noop"]) or truth(texts["diff"]),
        is_sync_only=truth(texts["sync-only"]),
        keeps_stage=truth(texts["keep-stage-file"]),
        prefix=texts["prefix"],
        log_level=texts["log-level"] or "info",
        files=tuple(values.get("file", ())),
        texts=texts,
    )


def _problems(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each flag whose value cannot be, and why."""
    backend = texts["backend"]
    if backend not in {*BACKENDS, *CLOUDS}:
        yield "backend", "Invalid backend"
    if backend == "dynamodb" and not texts["table"]:
        yield "table", "no DynamoDB table configured"
    if texts["log-level"] and texts["log-level"] not in _LEVELS:
        yield "log-level", f"not a valid log level: {texts['log-level']!r}"
    if texts["secret-keyring"]:
        yield "secret-keyring", "secret-keyring: encrypted values are not supported"
    if texts["metrics-addr"]:
        try:
            endpoint(texts["metrics-addr"])
        except ValueError as error:
            yield "metrics-addr", f"metrics-addr: {error}"
    yield from _ill_formed(texts)
    if backend in _UNWATCHED and texts["watch"].lower() in {"true", "t", "1"}:
        yield "watch", f"Watch is not supported for backend {backend}"


def _ill_formed(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, option in OPTIONS.items():
        read = _READERS.get(option.kind)
        try:
            if read is not None:
                read(texts[name])
        except ValueError as error:
            yield name, f"{name}: {error}"


def _nodes(backend: str, given: Sequence[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    if given:
        return tuple(given)
    peers = environ.get("ETCDCTL_PEERS", "")
    if backend in {"etcd", "etcdv2"} and peers:
        return tuple(peers.split(","))
    return (_NODES[backend],) if backend in _NODES else ()
