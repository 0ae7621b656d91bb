"""The jobs of a container, as a file says them in TOML or YAML. Pure.

Words and events are containerpilot's (its document on jobs); ``needs`` and ``ready`` are ours.
"""

import re
import shlex
from typing import Any, Final, NamedTuple

import msgspec

from sidecar.config.keys import suggestion
from sidecar.config.tables import tables_of
from sidecar.config.units import duration, endpoint

__all__ = ["EVENTS", "Health", "Job", "Ready", "Settings", "Watch", "When", "read"]

EVENTS: Final = (
    "startup", "shutdown", "ready", "healthy", "unhealthy", "exitSuccess", "exitFailed", "stopping",
    "stopped", "changed", "enterMaintenance", "exitMaintenance", "SIGHUP", "SIGUSR2",
)  # fmt: skip
UNLIMITED: Final = -1
_GONE: Final = "10m"
_NAME: Final = re.compile(r"[a-z][a-zA-Z0-9-]*")
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

    def entry(self, host: str) -> dict[str, Any]:
        """Return how the catalogue is told of it: critical until it is seen to be well."""
        ttl = f"{self.health.ttl}s" if self.health else "15s"
        return {
            "ID": f"{self.name}-{host}", "Name": self.name, "Port": self.port,
            "Tags": [*self.tags], "Address": self.address,
            "Check": {"TTL": ttl, "DeregisterCriticalServiceAfter": _GONE},
        }  # fmt: skip

    @property
    def most(self) -> int:
        """How many times it is started again; UNLIMITED."""
        has_interval = self.when is not None and self.when.interval
        default = "unlimited" if has_interval else "never"
        value = default if self.restarts is None else self.restarts
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
    tables = tables_of(text, file, section="run", known=("job", "watch", "catalog"))
    jobs, watches = tables.each("job", Job), tables.each("watch", Watch)
    names = [job.name for _, job in jobs]
    for number, (path, job) in enumerate(jobs):
        if job.name in names[:number]:
            tables.wrong((*path, "name"), f"there is a job {job.name!r} already")
        for need in {*job.needs} - {*names[:number]}:
            why = "must stand above it" if need in names else "is not there"
            tables.wrong((*path, "needs"), f"the job {need!r} {why}")
    if not jobs:
        tables.missing("there is no job")
    tables.check()
    catalog = str(tables.values.get("catalog", ""))
    return Settings(tuple(job for _, job in jobs), tuple(each for _, each in watches), catalog)
