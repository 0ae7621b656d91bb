"""Every option of both command lines: its flag, its key in confd.toml, its kind. Pure."""

import enum
from collections.abc import Mapping
from typing import Final, NamedTuple

__all__ = ["BACKENDS", "CLOUDS", "FORK_ONLY", "OPTIONS", "Dialect", "Kind", "Option"]

BACKENDS: Final = (
    "consul", "env", "etcd", "etcdv2", "etcdv3", "file", "pinnace", "rancher", "redis", "vault",
    "zookeeper",
)  # fmt: skip
CLOUDS: Final = ("acm", "dynamodb", "imds", "secretsmanager", "ssm")
"""Those that only a package of its own can add."""


class Dialect(enum.StrEnum):
    """Whose command line it is."""

    CONFD = "confd"
    """Flat flags in Go's syntax; a global prefix replaces that of a resource."""
    FORK = "fork"
    """A backend as a subcommand, two hyphens; prefixes are joined."""


class Kind(enum.StrEnum):
    """What a value is."""

    TEXT = "text"
    BOOL = "bool"
    SECONDS = "seconds"
    NUMBER = "number"
    LIST = "list"


class Option(NamedTuple):
    """One option."""

    kind: Kind
    key: str
    """In confd.toml, in lower case; empty: only a flag."""
    help: str
    default: str = ""


def _options() -> dict[str, Option]:
    text, boolean, seconds, many = Kind.TEXT, Kind.BOOL, Kind.SECONDS, Kind.LIST
    return {
        "app-id": Option(text, "app_id", "Vault app-id to use with the app-id backend"),
        "auth-token": Option(text, "auth_token", "auth bearer token to use"),
        "auth-type": Option(text, "auth_type", "Vault auth backend type to use"),
        "backend": Option(text, "backend", "backend to use", "etcd"),
        "basic-auth": Option(boolean, "basic_auth", "use basic authentication", "false"),
        "client-ca-keys": Option(text, "client_cakeys", "client ca keys"),
        "client-cert": Option(text, "client_cert", "the client cert"),
        "client-insecure": Option(
            boolean, "client_insecure", "do not check the server's certificate", "false"
        ),
        "client-key": Option(text, "client_key", "the client key; the password of redis"),
        "confdir": Option(text, "confdir", "confd conf directory", "/etc/confd"),
        "config-file": Option(text, "", "the confd config file", "/etc/confd/confd.toml"),
        "env-escape": Option(
            boolean, "env_escape", "'__' in a variable is '_' in a key (env)", "false"
        ),
        "file": Option(many, "file", "a YAML or JSON file, or a directory of them"),
        "filter": Option(text, "filter", "files of a directory to read", "*"),
        "interval": Option(seconds, "interval", "backend polling interval", "600"),
        "keep-stage-file": Option(boolean, "keepstagefile", "keep staged files", "false"),
        "log-level": Option(text, "log-level", "panic, fatal, error, warn, info or debug"),
        "node": Option(many, "nodes", "an address of the backend"),
        "noop": Option(boolean, "noop", "only show pending changes", "false"),
        "onetime": Option(boolean, "", "run once and exit", "false"),
        "password": Option(text, "password", "the password to authenticate with"),
        "path": Option(text, "path", "Vault mount path of the auth method"),
        "prefix": Option(text, "prefix", "key path prefix"),
        "role-id": Option(text, "role_id", "Vault role-id"),
        "scheme": Option(text, "scheme", "the backend's URI scheme", "http"),
        "secret-id": Option(text, "secret_id", "Vault secret-id"),
        "secret-keyring": Option(text, "secret_keyring", "not supported: encrypted values"),
        "separator": Option(text, "separator", "what stands for '/' in redis keys", "/"),
        "srv-domain": Option(text, "srv_domain", "the domain to query for SRV records"),
        "srv-record": Option(text, "srv_record", "the SRV record to search for backend nodes"),
        "sync-only": Option(boolean, "sync-only", "sync without check_cmd and reload_cmd", "false"),
        "table": Option(text, "table", "the name of the DynamoDB table"),
        "user-id": Option(text, "user_id", "Vault user-id"),
        "username": Option(text, "username", "the username to authenticate as"),
        "version": Option(boolean, "", "print version and exit", "false"),
        "watch": Option(boolean, "watch", "enable watch support", "false"),
    }


def _fork_only() -> dict[str, Option]:
    text, boolean, seconds, number = Kind.TEXT, Kind.BOOL, Kind.SECONDS, Kind.NUMBER

    def option(kind: Kind, name: str, words: str, default: str = "") -> Option:
        return Option(kind, name.replace("-", "_"), words, default)

    rows = (
        (text, "log-format", "text or json", "text"),
        (text, "failure-mode", "best-effort or fail-fast", "best-effort"),
        (boolean, "check-config", "check all files, then exit", "false"),
        (boolean, "preflight", "check files and the backend, then exit", "false"),
        (boolean, "validate", "check files and render them with mock data, then exit", "false"),
        (text, "mock-data", "a YAML or JSON file to use instead of the backend", ""),
        (text, "resource", "only this resource", ""),
        (boolean, "diff", "show what would change; change nothing", "false"),
        (number, "diff-context", "lines around a change", "3"),
        (boolean, "color", "colors in the diff", "false"),
        (seconds, "debounce", "wait for changes to come to rest", "0"),
        (seconds, "batch-interval", "take changes together that come within this time", "0"),
        (boolean, "template-cache", "keep compiled templates (always done)", "true"),
        (seconds, "stat-cache-ttl", "how often template files are looked at", "1s"),
        (seconds, "backend-timeout", "time for one read", "30s"),
        (seconds, "check-cmd-timeout", "time for a check command", "30s"),
        (seconds, "reload-cmd-timeout", "time for a reload command", "60s"),
        (seconds, "dial-timeout", "time to connect (redis)", "5s"),
        (seconds, "read-timeout", "time for one answer (redis)", "10s"),
        (seconds, "write-timeout", "accepted; read-timeout counts from the writing", "1s"),
        (number, "retry-max-attempts", "tries of a read", "3"),
        (seconds, "retry-base-delay", "first pause between tries", "100ms"),
        (seconds, "retry-max-delay", "longest pause between tries", "5s"),
        (seconds, "watch-error-backoff", "longest pause after a watch failed", "2s"),
        (seconds, "preflight-timeout", "time for --preflight", "10s"),
        (seconds, "shutdown-timeout", "time for a running command at the end", "30s"),
        (boolean, "systemd-notify", "tell systemd when ready", "false"),
        (seconds, "watchdog-interval", "feed systemd's watchdog", "0"),
        (text, "metrics-addr", "serve /metrics, /healthz and /readyz here", ""),
    )
    return {name: option(kind, name, words, default) for kind, name, words, default in rows}


FORK_ONLY: Final[Mapping[str, Option]] = _fork_only()
OPTIONS: Final[Mapping[str, Option]] = {**_options(), **FORK_ONLY}
"""By flag. Those of the fork are taken in both dialects."""
