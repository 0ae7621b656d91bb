"""What is kept in sync with what, and who hears of it. Pure: words and variables in.

Passwords never show: neither in ``repr`` nor in an error.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

from sidecar.config.units import endpoint, go_duration
from sidecar.errors import ConfigError
from sidecar.gitsync.configs import pairs_of
from sidecar.gitsync.credentials import Credential, credentials_of, leaf_of, without_password
from sidecar.gitsync.flags import Given

__all__ = ["Hook", "Options", "Target", "Webhook", "options_of"]

T = TypeVar("T")
_LEAST: Final = 0.01
_LEAST_HOOK: Final = 1.0
_SIGNAL: Final = re.compile(r"[A-Z][A-Z0-9+-]*|[0-9]{1,2}")
_SOCKET: Final = "unix:///var/run/docker.sock"


class Hook(NamedTuple):
    """A command after (or before) a change."""

    command: str
    timeout: float
    backoff: float


class Webhook(NamedTuple):
    """A request after a change; status 0 takes any answer."""

    url: str
    method: str
    status: int
    timeout: float
    backoff: float


class Target(NamedTuple):
    """Containers that get a signal: one by its name, or all with these labels."""

    name: str
    labels: tuple[str, ...]
    signal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything that was asked for; paths are as given, below ``root`` when relative."""

    repo: str
    root: str
    link: str
    ref: str = "HEAD"
    in_place: bool = False
    depth: int = 1
    filter: str = ""
    submodules: str = "recursive"
    sparse_file: str = ""
    period: float = 10.0
    init_period: float = 10.0
    timeout: float = 120.0
    is_once: bool = False
    signal: str = ""
    max_failures: int = 0
    init_max_failures: int = 0
    stale_timeout: float = 0.0
    touch_file: str = ""
    error_file: str = ""
    before: Hook | None = None
    after: Hook | None = None
    webhook: Webhook | None = None
    targets: tuple[Target, ...] = ()
    docker: str = _SOCKET
    credentials: tuple[Credential, ...] = ()
    askpass: str = field(default="", repr=False)
    ssh_keys: tuple[str, ...] = ()
    known_hosts: str = ""
    has_cookies: bool = False
    git: str = "git"
    config: tuple[tuple[str, str], ...] = ()
    gc: str = "always"
    is_group_writable: bool = False
    adds_user: bool = False
    bind: str = ""
    log_format: str = "text"
    verbose: int = 0


def options_of(words: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Return what a command line asks for. Raises ConfigError naming every mistake."""
    given = Given(words, environ)
    read = _Reading(given, environ)
    options = read.options()
    if read.problems:
        raise ConfigError(read.problems)
    return options


class _Reading:
    def __init__(self, given: Given, environ: Mapping[str, str]) -> None:
        self._given = given
        self._environ = environ
        self.problems: list[str] = []

    def options(self) -> Options:
        given = self._given
        repo, inner = without_password(given.text("repo"))
        self._needs("repo", "root", "ref", "git")
        period = self._seconds("period", _LEAST)
        if given.has("wait"):
            period = self._value("wait", float, period)
        failures = self._number("max-sync-failures") or self._number("max-failures", least=-1)
        first = self._number("init-max-failures", least=-1)
        return Options(
            repo=repo,
            root=given.text("root"),
            link=given.text("dest") or given.text("link") or leaf_of(repo),
            ref=given.text("branch") or given.text("rev") or given.text("ref"),
            in_place=self._one_of("publish", ("link", "in-place")) == "in-place",
            depth=self._number("depth"),
            filter=given.text("filter"),
            submodules=self._one_of("submodules", ("recursive", "shallow", "off")),
            sparse_file=given.text("sparse-checkout-file"),
            period=period,
            init_period=self._seconds("init-period", _LEAST) or period,
            timeout=self._number("timeout") or self._seconds("sync-timeout", _LEAST),
            is_once=given.is_on("one-time"),
            signal=given.text("sync-on-signal"),
            max_failures=failures,
            init_max_failures=first if given.has("init-max-failures") else failures,
            stale_timeout=self._seconds("stale-worktree-timeout"),
            touch_file=given.text("touch-file"),
            error_file=given.text("error-file"),
            before=self._hook("pre-publish-exechook"),
            after=self._hook("exechook", given.text("sync-hook-command")),
            webhook=self._webhook(),
            targets=tuple(map(self._target, given.texts("signal-container"))),
            docker=given.text("docker") or self._environ.get("DOCKER_HOST") or _SOCKET,
            credentials=credentials_of(given, self._environ, repo, inner, self.problems),
            askpass=given.text("askpass-url"),
            ssh_keys=given.texts("ssh-key-file"),
            known_hosts=given.text("ssh-known-hosts-file") * given.is_on("ssh-known-hosts"),
            has_cookies=given.is_on("cookie-file"),
            git=given.text("git"),
            config=self._config(),
            gc=self._one_of("git-gc", ("auto", "always", "aggressive", "off")),
            is_group_writable=given.is_on("group-write"),
            adds_user=given.is_on("add-user"),
            bind=self._value("http-bind", lambda text: str(endpoint(text)) if text else "", ""),
            log_format=self._one_of("log-format", ("text", "json")),
            verbose=max(self._number("verbose"), self._number("v")),
        )

    def _value(self, name: str, parse: Callable[[str], T], default: T) -> T:
        try:
            return parse(self._given.text(name))
        except ValueError as error:
            self.problems.append(f"--{name}: {error}")
            return default

    def _needs(self, *names: str) -> None:
        for name in names:
            if not self._given.text(name):
                self.problems.append(f"--{name} is required")

    def _number(self, name: str, least: int = 0) -> int:
        try:
            number = self._given.number(name)
        except ValueError as error:
            self.problems.append(f"--{name}: {error}")
            return least
        if number < least:
            self.problems.append(f"--{name} must be at least {least}")
        return number

    def _seconds(self, name: str, least: float = 0.0) -> float:
        if not self._given.text(name):
            return 0.0
        seconds = self._value(name, go_duration, least)
        if seconds < least:
            self.problems.append(f"--{name} must be at least {least:g}s")
        return seconds

    def _one_of(self, name: str, words: Sequence[str]) -> str:
        text = self._given.text(name)
        if text not in words:
            self.problems.append(f"--{name} must be one of {', '.join(words)}, not {text!r}")
        return text

    def _hook(self, name: str, command: str = "") -> Hook | None:
        command = command or self._given.text(f"{name}-command")
        if not command:
            return None
        timeout = self._seconds(f"{name}-timeout", _LEAST_HOOK)
        return Hook(command, timeout, self._seconds(f"{name}-backoff", _LEAST_HOOK))

    def _webhook(self) -> Webhook | None:
        url = self._given.text("webhook-url")
        if not url:
            return None
        if urlsplit(url).scheme not in {"http", "https"}:
            self.problems.append("--webhook-url must start with http:// or https://")
        return Webhook(
            url,
            self._given.text("webhook-method").upper(),
            max(0, self._number("webhook-success-status", least=-1)),
            self._seconds("webhook-timeout", _LEAST_HOOK),
            self._seconds("webhook-backoff", _LEAST_HOOK),
        )

    def _target(self, text: str) -> Target:
        head, colon, tail = text.rpartition(":")
        name, signal = (head, tail) if colon and _SIGNAL.fullmatch(tail) else (text, "HUP")
        labels = tuple(name.split(",")) if "=" in name else ()
        if not name or any(not each.partition("=")[0] for each in labels):
            self.problems.append(f"--signal-container: {text!r} names no container")
        return Target("" if labels else name, labels, signal)

    def _config(self) -> tuple[tuple[str, str], ...]:
        texts = (self._given.text("git-config"), *self._given.texts("git-config-add"))
        found: list[tuple[str, str]] = []
        for text in texts:
            try:
                found += pairs_of(text)
            except ValueError as error:
                self.problems.append(f"--git-config: {error}")
        return tuple(found)
