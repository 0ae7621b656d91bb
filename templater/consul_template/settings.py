"""What a run is asked to do: frozen settings made of read configuration. Pure."""

import shlex
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePath
from typing import Any, Final, Self

from sidecar.config.units import Endpoint, endpoint
from sidecar.errors import ConfigError
from templater.consul_template.consul_settings import ConsulSettings
from templater.consul_template.log_settings import LogSettings
from templater.consul_template.schema import Tree

__all__ = [
    "EnvSettings",
    "ExecSettings",
    "Settings",
    "TemplateSettings",
    "WaitSettings",
    "argv_of",
    "checking",
    "is_shell",
]

_COMMAND_TIMEOUT: Final = 30.0
_SHELL: Final = ("sh", "-c")
_SOURCE: Final = "{src}"
_LOG_LEVELS: Final = ("CT_LOG", "CONSUL_TEMPLATE_LOG", "CONSUL_TEMPLATE_LOG_LEVEL")


def is_shell(command: Sequence[str]) -> bool:
    """Say whether a command is one text of several words, which the shell runs."""
    return len(command) == 1 and len(command[0].split()) > 1


def argv_of(command: Sequence[str]) -> tuple[str, ...]:
    """Return the words to run."""
    return (*_SHELL, command[0]) if is_shell(command) else tuple(command)


def checking(command: Sequence[str], path: str) -> tuple[str, ...]:
    """Return the words of a check of a file: ``{src}`` is its path, quoted where a shell reads."""
    if is_shell(command):
        return argv_of((command[0].replace(_SOURCE, shlex.quote(path)),))
    return tuple(word.replace(_SOURCE, path) for word in command)


@dataclass(frozen=True, slots=True)
class WaitSettings:
    """Timers of quiescence; None where there are none."""

    least: float
    most: float

    @classmethod
    def of(cls, tree: Tree | None) -> Self | None:
        """Return the timers a block means, or None."""
        tree = tree or {}
        least = tree.get("min", 0.0)
        enabled = tree.get("enabled", tree.get("bool", least > 0 or tree.get("max", 0.0) > 0))
        if not enabled:
            return None
        return cls(least, tree.get("max", 4 * least))


@dataclass(frozen=True, slots=True)
class EnvSettings:
    """Which variables a child gets."""

    pristine: bool = False
    custom: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()

    @classmethod
    def of(cls, tree: Tree) -> Self:
        """Return the settings of a block."""
        return cls(
            tree.get("pristine", False),
            tuple(tree.get("custom", ())),
            (*tree.get("allowlist", ()), *tree.get("whitelist", ())),
            (*tree.get("denylist", ()), *tree.get("blacklist", ())),
        )

    def environ(self, inherited: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
        """Return the variables: inherited and chosen, then our own, then the custom ones."""
        chosen = {} if self.pristine else dict(inherited)
        if self.allowed:
            chosen = {name: chosen[name] for name in chosen if _any(name, self.allowed)}
        chosen = {name: value for name, value in chosen.items() if not _any(name, self.denied)}
        chosen |= own
        for pair in self.custom:
            name, _, value = pair.partition("=")
            chosen[name] = value
        return chosen


def _any(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class ExecSettings:
    """A command, and how its process is told of changes and ended."""

    command: tuple[str, ...] = ()
    timeout: float | None = None
    env: EnvSettings = EnvSettings()
    reload_signal: signal.Signals | None = None
    kill_signal: signal.Signals | None = signal.SIGINT
    kill_timeout: float = 30.0
    splay: float = 0.0
    restarts: bool = False
    """Whether a child that fails is started again (ours)."""

    @classmethod
    def of(cls, tree: Tree) -> Self:
        """Return the settings of a block; a command that is not enabled is none."""
        command = tree.get("command", ()) if tree.get("enabled", True) else ()
        return cls(
            command=tuple(command) if any(word.strip() for word in command) else (),
            timeout=tree.get("timeout"),
            env=EnvSettings.of(tree.get("env", {})),
            reload_signal=tree.get("reload_signal"),
            kill_signal=tree.get("kill_signal", signal.SIGINT),
            kill_timeout=tree.get("kill_timeout", 30.0),
            splay=tree.get("splay", 0.0),
            restarts=tree.get("restart_on_failure", False),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateSettings:
    """One template: what is read, where it goes, what follows."""

    source: str = ""
    contents: str = ""
    destination: str = ""
    create_dest_dirs: bool = True
    perms: int | None = None
    user: str = ""
    group: str = ""
    backup: bool = False
    left: str = "{{"
    right: str = "}}"
    fails_on_missing: bool = False
    error_fatal: bool | None = None
    wait: WaitSettings | None = None
    denied: tuple[str, ...] = ()
    sandbox: str = ""
    check: tuple[str, ...] = ()
    """Decides whether the new file is good; ``{src}`` in it is that file (ours)."""
    check_timeout: float = _COMMAND_TIMEOUT
    min_size: int = 0
    """Fewer bytes than this are not believed (ours)."""
    run: ExecSettings = ExecSettings()

    @property
    def name(self) -> str:
        """What logs call it."""
        return self.source or "(dynamic)"

    def __str__(self) -> str:
        """Return source and destination as the peer shows them."""
        return f'"{self.name}" => "{self.destination}"'


def _template(tree: Tree, left: str, right: str, whole: Tree) -> TemplateSettings:
    run = ExecSettings.of(
        {
            "command": tree.get("command", ()),
            "timeout": tree.get("command_timeout", _COMMAND_TIMEOUT),
            **tree.get("exec", {}),
        }
    )
    fatal = whole.get("template_error_fatal", tree.get("error_fatal"))
    return TemplateSettings(
        source=tree.get("source", ""),
        contents=tree.get("contents", ""),
        destination=tree.get("destination", ""),
        create_dest_dirs=tree.get("create_dest_dirs", True),
        perms=tree.get("perms") or None,
        user=tree.get("user", str(tree["uid"]) if "uid" in tree else ""),
        group=tree.get("group", str(tree["gid"]) if "gid" in tree else ""),
        backup=tree.get("backup", False),
        left=tree.get("left_delimiter") or left or "{{",
        right=tree.get("right_delimiter") or right or "}}",
        fails_on_missing=tree.get("error_on_missing_key", False),
        error_fatal=fatal,
        wait=WaitSettings.of(tree.get("wait")) or WaitSettings.of(whole.get("wait")),
        denied=(*tree.get("function_denylist", ()), *tree.get("function_blacklist", ())),
        sandbox=tree.get("sandbox_path", ""),
        check=tree.get("check_command", ()),
        check_timeout=tree.get("check_timeout", _COMMAND_TIMEOUT),
        min_size=tree.get("min_size", 0),
        run=run,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A whole run."""

    consul: ConsulSettings
    templates: tuple[TemplateSettings, ...]
    child: ExecSettings
    is_once: bool = False
    is_dry: bool = False
    is_parse_only: bool = False
    max_stale: float = 2.0
    query_wait: float = 60.0
    pid_file: str = ""
    log: LogSettings = field(default_factory=LogSettings)
    metrics: Endpoint | None = None
    reload_signal: signal.Signals | None = signal.SIGHUP
    kill_signal: signal.Signals | None = signal.SIGINT
    allowed: frozenset[str] = frozenset()
    command_error_fatal: bool = False
    err_on_failed_lookup: bool = False
    vault: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        tree: Tree,
        environ: Mapping[str, str],
        *,
        is_dry: bool = False,
        program: str = "consul-template",
        variables: Sequence[str] = _LOG_LEVELS,
    ) -> Self:
        """Return the settings of merged configuration. Raises ConfigError.

        ``variables`` are those that say the level of the ``program``'s log.
        """
        delimiters = tree.get("default_delimiters", {})
        left, right = delimiters.get("left", ""), delimiters.get("right", "")
        templates = tuple(_template(one, left, right, tree) for one in tree.get("template", ()))
        problems = [line for one in templates for line in _problems(one, is_dry=is_dry)]
        if problems:
            raise ConfigError(problems)
        return cls(
            consul=ConsulSettings.of(tree.get("consul", {}), environ),
            templates=templates,
            child=ExecSettings.of(tree.get("exec", {})),
            is_once=tree.get("once", False),
            is_dry=is_dry,
            is_parse_only=tree.get("parse_only", False),
            max_stale=tree.get("max_stale", 2.0),
            query_wait=tree.get("block_query_wait", 60.0),
            pid_file=tree.get("pid_file", ""),
            log=LogSettings.of(tree, environ, variables, program),
            metrics=_metrics(tree),
            reload_signal=tree.get("reload_signal", signal.SIGHUP),
            kill_signal=tree.get("kill_signal", signal.SIGINT),
            allowed=frozenset(tree.get("allow_functions", ())),
            command_error_fatal=tree.get("command_error_fatal", False),
            err_on_failed_lookup=tree.get("err_on_failed_lookup", False),
            vault=tree.get("vault", {}),
        )


def _metrics(tree: Tree) -> Endpoint | None:
    """Return where metrics are read: our own key, else the port of the original's telemetry."""
    text = tree.get("metrics_addr", "")
    port = tree.get("telemetry", {}).get("prometheus", {}).get("port", 0)
    if not text and port:
        text = f"0.0.0.0:{port}"
    if not text:
        return None
    try:
        return endpoint(text)
    except ValueError as error:
        raise ConfigError([f"metrics_addr: {error}"]) from error


def _problems(template: TemplateSettings, *, is_dry: bool) -> list[str]:
    if template.source and template.contents:
        return [f"template {template}: must specify 'source' or 'contents', not both"]
    if not (template.source or template.contents):
        return [f"template {template}: must specify 'source' or 'contents'"]
    if not template.destination and not is_dry:
        return [f"template {template}: 'destination' is missing"]
    if template.destination and PurePath(template.destination).name in {"", ".."}:
        return [f"template {template}: 'destination' names no file"]
    return []
