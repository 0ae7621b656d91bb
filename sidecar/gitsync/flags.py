"""The command line of git-sync 4 and its variables, and a few flags of ours. Pure.

Source: kubernetes/git-sync's manual. Each flag is also a variable: ``--sync-timeout`` is
``GITSYNC_SYNC_TIMEOUT``, or ``GIT_SYNC_SYNC_TIMEOUT`` as version 3 called it.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from sidecar.config.goflags import Flag, FlagError, Parsed, parse
from sidecar.errors import ConfigError

__all__ = ["FLAGS", "REFUSED", "Given"]

FLAGS: Final = (
    Flag("repo", "string", "the repository", ""),
    Flag("ref", "string", "branch, tag or hash", "HEAD"),
    Flag("root", "string", "the folder to work in", ""),
    Flag("link", "string", "what leads to the newest files [the repository's name]", ""),
    Flag("publish", "string", "link, or in-place: replace the files of a folder", "link"),
    Flag("depth", "int", "commits of history; 0 is all", 1),
    Flag("filter", "string", "fetch parts only: blob:none, tree:0", ""),
    Flag("submodules", "string", "recursive, shallow or off", "recursive"),
    Flag("sparse-checkout-file", "string", "says which paths are wanted", ""),
    Flag("period", "string", "time between looks", "10s"),
    Flag("init-period", "string", "the same before the first success [--period]", ""),
    Flag("sync-timeout", "string", "longest time of one sync", "120s"),
    Flag("one-time", "bool", "end after one sync", False),
    Flag("sync-on-signal", "string", "a signal that starts a sync, besides SIGHUP", ""),
    Flag("max-failures", "int", "failures in a row after which to give up; -1 never", 0),
    Flag("init-max-failures", "int", "the same before the first success [--max-failures]", 0),
    Flag("stale-worktree-timeout", "string", "how long replaced files are kept", "0s"),
    Flag("touch-file", "string", "touched after each change, below --root", ""),
    Flag("error-file", "string", "holds the last error as JSON, below --root", ""),
    Flag("exechook-command", "string", "run in the new files once they are published", ""),
    Flag("exechook-timeout", "string", "its longest time", "30s"),
    Flag("exechook-backoff", "string", "time before it is tried again", "3s"),
    Flag("pre-publish-exechook-command", "string", "run before; when it fails nothing changes", ""),
    Flag("pre-publish-exechook-timeout", "string", "its longest time", "30s"),
    Flag("pre-publish-exechook-backoff", "string", "time before it is tried again", "3s"),
    Flag("webhook-url", "string", "asked after each change", ""),
    Flag("webhook-method", "string", "its method", "POST"),
    Flag("webhook-success-status", "int", "the status that is a success; 0 any", 200),
    Flag("webhook-timeout", "string", "its longest time", "1s"),
    Flag("webhook-backoff", "string", "time before it is asked again", "3s"),
    Flag("signal-container", "string", "NAME[:SIGNAL] or LABEL=VALUE[,...][:SIGNAL]: told after"
         " each change (HUP)", ""),
    Flag("docker", "string", "their engine [DOCKER_HOST or its usual socket]", ""),
    Flag("username", "string", "user name for the repository", ""),
    Flag("password-file", "string", "holds the password; read before each sync", ""),
    Flag("credential", "string", 'JSON: {"url", "username", "password-file"}, or a list', ""),
    Flag("askpass-url", "string", "asked for username=... and password=... before each sync", ""),
    Flag("ssh-key-file", "string", "a key; may be given several times", "/etc/git-secret/ssh"),
    Flag("ssh-known-hosts", "bool", "believe known hosts only", True),
    Flag("ssh-known-hosts-file", "string", "where they are", "/etc/git-secret/known_hosts"),
    Flag("cookie-file", "bool", "use /etc/git-secret/cookie_file", False),
    Flag("git", "string", "the program", "git"),
    Flag("git-config", "string", "settings for git: key:value,...", ""),
    Flag("git-config-add", "string", "one more such setting; may be given several times", ""),
    Flag("git-gc", "string", "auto, always, aggressive or off", "always"),
    Flag("group-write", "bool", "let the group write", False),
    Flag("add-user", "bool", "put our number into /etc/passwd, which ssh needs", False),
    Flag("http-bind", "string", "ADDR:PORT of / (ready), /metrics, /healthz, /readyz", ""),
    Flag("http-metrics", "bool", "not needed: /metrics is always there", False),
    Flag("log-format", "string", "text or json", "text"),
    Flag("verbose", "int", "from 2 on each look is told", 0),
    Flag("v", "int", "the same", 0),
    Flag("version", "bool", "print the version", False),
    # What version 3 called them.
    Flag("branch", "string", "--ref", ""),
    Flag("rev", "string", "--ref", ""),
    Flag("dest", "string", "--link", ""),
    Flag("wait", "string", "--period in seconds", ""),
    Flag("timeout", "int", "--sync-timeout in seconds", 0),
    Flag("max-sync-failures", "int", "--max-failures", 0),
    Flag("sync-hook-command", "string", "--exechook-command", ""),
    Flag("ssh", "bool", "not needed", False),
)  # fmt: skip

REFUSED: Final[Mapping[str, str]] = {
    "password": "a password on a command line can be read by everybody; use --password-file",
    "change-permissions": "use --group-write",
    "http-pprof": "there is no profile to look at",
    "man": "see docs/git-sync.md",
    **dict.fromkeys(
        (
            "github-base-url", "github-app-private-key-file", "github-app-client-id",
            "github-app-application-id", "github-app-installation-id",
        ),
        "GitHub apps are not supported; --askpass-url can hand out their tokens",
    ),
}  # fmt: skip
"""Flags of git-sync that are understood and not done, and what to do instead."""

_BY_NAME: Final = {flag.name: flag for flag in FLAGS}
_LISTS: Final = frozenset({"ssh-key-file", "git-config-add", "credential", "signal-container"})
_ODD: Final[Mapping[str, tuple[str, ...]]] = {
    "ssh-key-file": ("GITSYNC_SSH_KEY_FILE", "GIT_SYNC_SSH_KEY_FILE", "GIT_SSH_KEY_FILE"),
    "ssh-known-hosts": ("GITSYNC_SSH_KNOWN_HOSTS", "GIT_SYNC_KNOWN_HOSTS", "GIT_KNOWN_HOSTS"),
    "ssh-known-hosts-file": (
        "GITSYNC_SSH_KNOWN_HOSTS_FILE", "GIT_SYNC_SSH_KNOWN_HOSTS_FILE", "GIT_SSH_KNOWN_HOSTS_FILE",
    ),
    "cookie-file": ("GITSYNC_COOKIE_FILE", "GIT_SYNC_COOKIE_FILE", "GIT_COOKIE_FILE"),
    "askpass-url": ("GITSYNC_ASKPASS_URL", "GIT_SYNC_ASKPASS_URL", "GIT_ASKPASS_URL"),
    "sync-hook-command": ("GIT_SYNC_HOOK_COMMAND",),
    "version": (), "v": (), "git-config-add": (),
}  # fmt: skip
_TRUE: Final = frozenset({"1", "t", "true", "y", "yes"})


class Given:
    """What a command line and the environment say: the flag before the variable."""

    def __init__(self, words: Sequence[str], environ: Mapping[str, str]) -> None:
        """Read them. Raises ConfigError, and ``goflags.Help`` when help is asked for."""
        self._environ = environ
        for word in words:
            name = word.lstrip("-").partition("=")[0]
            if word.startswith("--") and name in REFUSED:
                raise ConfigError([f"--{name}: {REFUSED[name]}"])
        try:
            self._parsed: Parsed = parse(FLAGS, words)
        except FlagError as error:
            raise ConfigError([str(error)]) from None
        if self._parsed.rest:
            raise ConfigError([f"unexpected argument {self._parsed.rest[0]!r}"])

    def has(self, name: str) -> bool:
        """Return whether a flag or its variable was given."""
        return name in self._parsed.given or self._variable(name) is not None

    def text(self, name: str) -> str:
        """Return the last text, or the default."""
        if name in self._parsed.given:
            return self._parsed.text(name)
        found = self._variable(name)
        return str(_BY_NAME[name].default) if found is None else found

    def texts(self, name: str) -> tuple[str, ...]:
        """Return every text of a flag that may be given several times."""
        if name in self._parsed.given:
            return self._parsed.all(name)
        found = self._variable(name)
        if found is not None and name == "ssh-key-file":
            return tuple(each for each in found.split(":") if each)
        default = str(_BY_NAME[name].default)
        return tuple(each for each in ((default if found is None else found),) if each)

    def number(self, name: str) -> int:
        """Return a number. Raises ValueError."""
        if name in self._parsed.given:
            return self._parsed.number(name, 0)
        found = self._variable(name)
        try:
            return int(_BY_NAME[name].default if found is None else found)
        except ValueError:
            raise ValueError(f"{found!r} is no number") from None

    def is_on(self, name: str) -> bool:
        """Return whether a switch is on."""
        if name in self._parsed.given:
            return self._parsed.is_on(name)
        found = self._variable(name)
        return bool(_BY_NAME[name].default) if found is None else found.lower() in _TRUE

    def _variable(self, name: str) -> str | None:
        plain = name.replace("-", "_").upper()
        names = _ODD.get(name, (f"GITSYNC_{plain}", f"GIT_SYNC_{plain}"))
        return next((self._environ[each] for each in names if self._environ.get(each)), None)
