"""All keys of envconsul's configuration, and the flags that stand for some of them. Pure.

What envconsul has in common with consul-template is taken from there. Keys that it once had at the
top, or flags under an older name, are read as what they are called now: ``MOVED`` says where to.
"""

from collections.abc import Mapping
from typing import Final

from templater.consul_template import keys
from templater.consul_template.keys import EXEC, WAIT
from templater.consul_template.schema import Kind, Schema

__all__ = ["FLAGS", "IGNORED", "MOVED", "SCHEMA", "SERVICE_FORMATS"]

_Path = tuple[str, ...]
_KEY: Final[Schema] = {"format": Kind.STRING, "name": Kind.STRING}
_PREFIX: Final[Schema] = {
    "format": Kind.STRING,
    "key": (Kind.BLOCKS, _KEY),
    "no_prefix": Kind.BOOL,
    "path": Kind.STRING,
}
SERVICE_FORMATS: Final = ("id", "name", "address", "tag", "port")
_SERVICE: Final[Schema] = {
    "query": Kind.STRING,
    **{f"format_{field}": Kind.STRING for field in SERVICE_FORMATS},
}
_OWN_EXEC: Final[Schema] = {**EXEC, "reload_command": Kind.COMMAND}
"""It is ours; the original reads ``reload_signal`` and ignores it."""
_VAULT: Final[Schema] = {**keys.VAULT, "namespace": Kind.STRING}
SCHEMA: Final[Schema] = {
    "auth": keys.CONSUL["auth"],
    "consul": (Kind.ADDRESS, keys.CONSUL),
    "exec": _OWN_EXEC,
    "kill_signal": Kind.SIGNAL,
    "log_level": Kind.STRING,
    "log_file": keys.SCHEMA["log_file"],
    "max_stale": Kind.DURATION,
    "metrics_addr": Kind.STRING,
    "path": Kind.STRING,
    "pid_file": Kind.STRING,
    "prefix": (Kind.BLOCKS, _PREFIX),
    "pristine": Kind.BOOL,
    "reload_signal": Kind.SIGNAL,
    "retry": Kind.DURATION,
    "sanitize": Kind.BOOL,
    "secret": (Kind.BLOCKS, _PREFIX),
    "service": (Kind.BLOCKS, _SERVICE),
    "splay": Kind.DURATION,
    "ssl": keys.CONSUL["ssl"],
    "syslog": keys.SCHEMA["syslog"],
    "timeout": Kind.DURATION,
    "token": Kind.STRING,
    "upcase": Kind.BOOL,
    "vault": _VAULT,
    "wait": (Kind.WAIT, WAIT),
}
MOVED: Final[Mapping[str, tuple[_Path, ...]]] = {
    "auth": (("consul", "auth"),),
    "path": (),
    "retry": (
        ("consul", "retry", "backoff"), ("consul", "retry", "max_backoff"),
        ("vault", "retry", "backoff"), ("vault", "retry", "max_backoff"),
    ),
    "splay": (("exec", "splay"),),
    "ssl": (("consul", "ssl"), ("vault", "ssl")),
    "timeout": (("exec", "kill_timeout"),),
    "token": (("consul", "token"),),
}  # fmt: skip
"""Old key at the top to what it means now; nothing for one that says nothing any more."""

IGNORED: Final[Mapping[_Path, str]] = {
    ("vault", "k8s_auth_role_name"): "give a token",
    ("vault", "namespace"): "give the namespace as the start of the paths",
    ("vault", "unwrap_token"): "give the token that was wrapped",
}
"""What is read and changes nothing, and what to do instead; told once."""

_SHARED: Final = (
    "consul-addr", "consul-auth", "consul-namespace", "consul-retry", "consul-ssl", "consul-token",
    "consul-transport", "exec", "kill-signal", "log-file", "log-level", "log-rotate", "max-stale",
    "metrics-addr", "pid-file",
    "reload-signal", "syslog", "vault-addr", "vault-agent-token-file",
    "vault-default-lease-duration", "vault-renew-token", "vault-retry", "vault-ssl", "vault-token",
    "vault-transport", "vault-unwrap-token", "wait",
)  # fmt: skip
"""Flags of consul-template, by how they begin, that envconsul has too."""
FLAGS: Final[Mapping[str, tuple[tuple[_Path, ...], Kind]]] = {
    **{
        name: ((path,), kind) for name, (path, kind) in keys.FLAGS.items()
        if name.startswith(_SHARED)
    },
    "exec-reload-command": ((("exec", "reload_command"),), Kind.COMMAND),
    "pristine": ((("pristine",),), Kind.BOOL),
    "sanitize": ((("sanitize",),), Kind.BOOL),
    "upcase": ((("upcase",),), Kind.BOOL),
    **{
        f"vault-{name.replace('_', '-')}": ((("vault", name),), Kind.STRING)
        for name in (
            "k8s_auth_role_name", "k8s_service_account_token", "k8s_service_account_token_path",
            "k8s_service_mount_path", "namespace",
        )
    },
    "auth": ((("consul", "auth"),), Kind.STRING),
    "consul": ((("consul", "address"),), Kind.STRING),
    "retry": (MOVED["retry"], Kind.DURATION),
    "splay": (MOVED["splay"], Kind.DURATION),
    "ssl": ((("consul", "ssl", "enabled"), ("vault", "ssl", "enabled")), Kind.BOOL),
    "ssl-ca-cert": ((("consul", "ssl", "ca_cert"), ("vault", "ssl", "ca_cert")), Kind.STRING),
    "ssl-cert": ((("consul", "ssl", "cert"), ("vault", "ssl", "cert")), Kind.STRING),
    "ssl-verify": ((("consul", "ssl", "verify"), ("vault", "ssl", "verify")), Kind.BOOL),
    "timeout": (MOVED["timeout"], Kind.DURATION),
    "token": (MOVED["token"], Kind.STRING),
}  # fmt: skip
"""Flag to the keys it sets and their kind; the last ones are older names."""
