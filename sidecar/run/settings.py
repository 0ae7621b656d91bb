"""The jobs of a container, as a file says them in TOML or YAML. Pure.

Words and events are containerpilot's (its document on jobs); ``needs`` and ``ready`` are ours.
"""

import re
import shlex
from typing import Any, Final, NamedTuple

import msgspec
import yaml

from sidecar.config.document import parse
from sidecar.config.keys import suggestion
from sidecar.config.units import duration, endpoint
from sidecar.errors import ConfigError

__all__ = ["EVENTS", "Health", "Job", "Ready", "Settings", "Watch", "When", "read"]

EVENTS: Final = (
    "startup", "shutdown", "ready", "healthy", "unhealthy", "exitSuccess", "exitFailed", "stopping",
    "stopped", "changed", "enterMaintenance", "exitMaintenance", "SIGHUP", "SIGUSR2",
)  # fmt: skip
UNLIMITED: Final = -1
_NAME: Final = re.compile(r"[a-z][a-zA-Z0-9-]*")
_WHERE: Final = re.compile(r" - at `\$\.?(.*)`$")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`")
Path = tuple[str | int, ...]
Seconds = Any  # a text or a number in the file, a number of seconds afterwards
Words = Any  # a text or a list in the file, a tuple afterwards


def _seconds(value: object) -> float:
    return duration(str(value))


def _words(value: object) -> tuple[str, ...]:
    words = shlex.split(value) if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not all(isinstance(each, str) for each in words):
        raise ValueError("must be text or a list of texts")
    return tuple(words)


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    def __post_init__(self) -> None:
        """Turn texts into what they mean. Raises ValueError."""
        for name in self.__struct_fields__:
            if name in {"interval", "timeout", "ttl", "stop_timeout"}:
                msgspec.structs.force_setattr(self, name, _seconds(getattr(self, name)))
            elif name in {"exec", "needs"}:
                msgspec.structs.force_setattr(self, name, _words(getattr(self, name)))
        if getattr(self, "tcp", ""):
            endpoint(self.tcp)  # type: ignore[attr-defined]


class When(_Table, frozen=True, kw_only=True):
    """What starts a job: an event once or each time, an interval, or nothing but the start."""

    source: str = ""
    once: str = ""
    each: str = ""
    interval: Seconds = 0.0
    timeout: Seconds = 0.0

    def __post_init__(self) -> None:
        """Check it. Raises ValueError."""
        super().__post_init__()
        if sum(map(bool, (self.once, self.each, self.interval))) != 1 and not self.is_signal:
            raise ValueError("needs one of once, each and interval")
        if self.event not in EVENTS and not self.interval:
            raise ValueError(f"{self.event!r} is no event{suggestion(self.event, EVENTS)}")

    @property
    def is_signal(self) -> bool:
        """Whether a signal to us starts it."""
        return self.source.startswith("SIG")

    @property
    def event(self) -> str:
        """The event that is waited for."""
        return self.source if self.is_signal else self.once or self.each or "startup"


class Ready(_Table, frozen=True, kw_only=True):
    """How a job says that it serves: it listens, a file is there, a line in a descriptor."""

    tcp: str = ""
    file: str = ""
    fd: int = 0


class Health(_Table, frozen=True, kw_only=True):
    """How a running job is looked at."""

    exec: Words = ()
    tcp: str = ""
    interval: Seconds = 5.0
    timeout: Seconds = 5.0
    ttl: Seconds = 15.0


class Job(_Table, frozen=True, kw_only=True):
    """One program and its rules."""

    name: str
    exec: Words
    when: When | None = None
    needs: Words = ()
    ready: Ready | None = None
    health: Health | None = None
    restarts: int | str | None = None
    timeout: Seconds = 0.0
    stop_timeout: Seconds = 5.0
    stop_signal: str = "SIGTERM"
    port: int = 0
    address: str = ""
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check it. Raises ValueError."""
        super().__post_init__()
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name: a small letter, then letters, digits, -")
        if isinstance(self.restarts, str) and self.restarts not in {"unlimited", "never"}:
            raise ValueError(f"restarts is a number, unlimited or never, not {self.restarts!r}")
        if self.most == UNLIMITED and self.when is not None and self.when.each:
            raise ValueError("restarts without limit do not go with when.each")

    @property
    def most(self) -> int:
        """How many times it is started again; UNLIMITED."""
        has_interval = self.when is not None and self.when.interval
        value = (
            ("unlimited" if has_interval else "never") if self.restarts is None else self.restarts
        )
        return value if isinstance(value, int) else UNLIMITED if value == "unlimited" else 0


class Watch(_Table, frozen=True, kw_only=True):
    """A service of the catalogue whose changes are events."""

    name: str
    interval: Seconds = 10.0


class Settings(NamedTuple):
    """Everything of a file."""

    jobs: tuple[Job, ...]
    watches: tuple[Watch, ...] = ()
    catalog: str = ""


def read(text: str, file: str) -> Settings:
    """Return what a file says. Raises ConfigError with file, line and column of each mistake."""
    places: dict[Path, str] = {}
    is_yaml = file.endswith((".yaml", ".yml"))
    values, problems = _yaml(text, places) if is_yaml else _toml(text, places)
    base: Path = ()
    if isinstance(values.get("run"), dict):  # a section of a larger file
        values, base = values["run"], ("run",)
    elif values.keys() - {"job", "watch", "catalog"}:
        odd = sorted(values.keys() - {"job", "watch", "catalog"})
        problems += [((key,), f"unknown key {key!r}") for key in odd]
    jobs = _each(values, "job", Job, base, problems)
    watches = _each(values, "watch", Watch, base, problems)
    names = [job.name for _, job in jobs]
    for number, (path, job) in enumerate(jobs):
        if job.name in names[:number]:
            problems.append(((*path, "name"), f"there is a job {job.name!r} already"))
        for need in {*job.needs} - {*names[:number]}:
            why = "must stand above it" if need in names else "is not there"
            problems.append(((*path, "needs"), f"the job {need!r} {why}"))
    if not jobs and not problems:
        problems.append((base, "there is no job"))
    if problems:
        raise ConfigError([f"{file}:{_place(places, path)}: {why}" for path, why in problems])
    catalog = str(values.get("catalog", ""))
    return Settings(tuple(job for _, job in jobs), tuple(each for _, each in watches), catalog)


def _each(
    values: dict[str, Any], key: str, kind: Any, base: Path, problems: list[tuple[Path, str]]
) -> list[tuple[Path, Any]]:
    """Return the tables of a list; what is wrong with each is noted with its path."""
    found = []
    for number, value in enumerate(values.get(key) or ()):
        path: Path = (*base, key, number)
        try:
            found.append((path, msgspec.convert(value, kind)))
        except msgspec.ValidationError as error:
            text = str(error)
            where = _WHERE.search(text)
            inner = re.findall(r"[^.\[\]]+", where[1]) if where else []
            text = text[: where.start()] if where else text
            unknown = _UNKNOWN.fullmatch(text)
            inner += [unknown[1]] if unknown else []
            path = (*path, *(int(each) if each.isdigit() else each for each in inner))
            problems.append((path, f"unknown key {unknown[1]!r}" if unknown else text))
    return found


def _place(places: dict[Path, str], path: Path) -> str:
    return next((places[path[:n]] for n in range(len(path), 0, -1) if path[:n] in places), "1:1")


def _toml(text: str, places: dict[Path, str]) -> tuple[dict[str, Any], list[tuple[Path, str]]]:
    document = parse(text)
    places |= {path: str(at) for path, at in document.positions.items()}
    problems: list[tuple[Path, str]] = []
    for number, mistake in enumerate(document.mistakes):
        places["", number] = str(mistake.at or "1:1")
        problems.append((("", number), mistake.message))
    return dict(document.values), problems


def _yaml(text: str, places: dict[Path, str]) -> tuple[dict[str, Any], list[tuple[Path, str]]]:
    def note(node: yaml.Node | None, path: Path) -> None:
        if node is not None:
            places.setdefault(path, f"{node.start_mark.line + 1}:{node.start_mark.column + 1}")
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        for key, value in pairs:
            places[*path, key.value] = f"{key.start_mark.line + 1}:{key.start_mark.column + 1}"
            note(value, (*path, key.value))
        for number, each in enumerate(node.value if isinstance(node, yaml.SequenceNode) else ()):
            note(each, (*path, number))

    try:
        note(yaml.compose(text, yaml.SafeLoader), ())
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        places["",] = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        return {}, [(("",), error.problem or "this is no YAML")]
    return (values if isinstance(values, dict) else {}), []
