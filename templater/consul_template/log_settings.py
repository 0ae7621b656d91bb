"""Where logs go, as configuration says it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from templater.consul_template.schema import Tree

__all__ = ["LogFileSettings", "LogSettings", "SyslogSettings"]

_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class LogFileSettings:
    """A file that is rotated."""

    path: str
    most_bytes: int = 0
    """0: it may grow."""
    longest: float = _DAY
    most_files: int = 0
    """How many older ones are kept; 0: all, below 0: none."""


@dataclass(frozen=True, slots=True)
class SyslogSettings:
    """The machine's own log."""

    name: str
    facility: str = "LOCAL0"


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Standard error always; what is None is not asked for."""

    level: str = "WARN"
    file: LogFileSettings | None = None
    syslog: SyslogSettings | None = None

    @classmethod
    def of(
        cls, tree: Tree, environ: Mapping[str, str], variables: Sequence[str], program: str
    ) -> Self:
        """Return what configuration says; the first of these variables is a level too.

        ``program`` names files in a folder, and lines in syslog.
        """
        known = (environ[name] for name in variables if environ.get(name))
        return cls(
            tree.get("log_level") or next(known, "WARN"),
            _file(tree.get("log_file", {}), program),
            _syslog(tree.get("syslog", {}), program),
        )


def _file(tree: Tree, program: str) -> LogFileSettings | None:
    path = tree.get("path", "")
    if not path:
        return None
    return LogFileSettings(
        f"{path}{program}.log" if path.endswith("/") else path,
        tree.get("log_rotate_bytes", 0),
        tree.get("log_rotate_duration") or _DAY,
        tree.get("log_rotate_max_files", 0),
    )


def _syslog(tree: Tree, program: str) -> SyslogSettings | None:
    name, facility = tree.get("name", ""), tree.get("facility", "")
    if not tree.get("enabled", bool(name or facility)):
        return None
    return SyslogSettings(name or program, facility or "LOCAL0")
