"""All keys of consul-template's configuration, and the flags that stand for some of them. Pure.

Keys that are read and change nothing here are in the tables too: a file that the peer takes is
taken. ``IGNORED`` says which, for a line in the log.
"""

from collections.abc import Mapping
from typing import Final

from templater.consul_template.schema import Kind, Schema

__all__ = ["CONSUL", "ENV", "EXEC", "FLAGS", "IGNORED", "SCHEMA", "TEMPLATE", "VAULT", "WAIT"]

WAIT: Final[Schema] = {
    "bool": Kind.BOOL,
    "enabled": Kind.BOOL,
    "max": Kind.DURATION,
    "min": Kind.DURATION,
}
_AUTH: Final[Schema] = {"enabled": Kind.BOOL, "password": Kind.STRING, "username": Kind.STRING}
_RETRY: Final[Schema] = {
    "attempts": Kind.INT,
    "backoff": Kind.DURATION,
    "enabled": Kind.BOOL,
    "max_backoff": Kind.DURATION,
}
_SSL: Final[Schema] = {
    "ca_cert": Kind.STRING,
    "ca_cert_bytes": Kind.STRING,
    "ca_path": Kind.STRING,
    "cert": Kind.STRING,
    "enabled": Kind.BOOL,
    "key": Kind.STRING,
    "server_name": Kind.STRING,
    "verify": Kind.BOOL,
}
_TRANSPORT: Final[Schema] = {
    "dial_keep_alive": Kind.DURATION,
    "dial_timeout": Kind.DURATION,
    "disable_keep_alives": Kind.BOOL,
    "idle_conn_timeout": Kind.DURATION,
    "max_conns_per_host": Kind.INT,
    "max_idle_conns": Kind.INT,
    "max_idle_conns_per_host": Kind.INT,
    "tls_handshake_timeout": Kind.DURATION,
}
CONSUL: Final[Schema] = {
    "address": Kind.STRING,
    "auth": _AUTH,
    "namespace": Kind.STRING,
    "retry": _RETRY,
    "ssl": _SSL,
    "token": Kind.STRING,
    "token_file": Kind.STRING,
    "transport": _TRANSPORT,
}
VAULT: Final[Schema] = {
    "address": Kind.STRING,
    "client_user_agent": Kind.STRING,
    "default_lease_duration": Kind.DURATION,
    "enabled": Kind.BOOL,
    "k8s_auth_role_name": Kind.STRING,
    "k8s_service_account_token": Kind.STRING,
    "k8s_service_account_token_path": Kind.STRING,
    "k8s_service_mount_path": Kind.STRING,
    "lease_renewal_threshold": Kind.FLOAT,
    "namespace": Kind.STRING,
    "renew_token": Kind.BOOL,
    "retry": _RETRY,
    "ssl": _SSL,
    "token": Kind.STRING,
    "transport": _TRANSPORT,
    "unwrap_token": Kind.BOOL,
    "vault_agent_token_file": Kind.STRING,
}
_NOMAD: Final[Schema] = {
    "address": Kind.STRING,
    "auth_password": Kind.STRING,
    "auth_username": Kind.STRING,
    "enabled": Kind.BOOL,
    "namespace": Kind.STRING,
    "retry": _RETRY,
    "ssl": _SSL,
    "token": Kind.STRING,
    "transport": _TRANSPORT,
}
ENV: Final[Schema] = {
    "allowlist": Kind.STRINGS,
    "blacklist": Kind.STRINGS,
    "custom": Kind.STRINGS,
    "denylist": Kind.STRINGS,
    "pristine": Kind.BOOL,
    "whitelist": Kind.STRINGS,
}
EXEC: Final[Schema] = {
    "command": Kind.COMMAND,
    "enabled": Kind.BOOL,
    "env": ENV,
    "kill_signal": Kind.SIGNAL,
    "kill_timeout": Kind.DURATION,
    "reload_signal": Kind.SIGNAL,
    "restart_on_failure": Kind.BOOL,
    "splay": Kind.DURATION,
    "timeout": Kind.DURATION,
}
"""``restart_on_failure`` is ours."""
TEMPLATE: Final[Schema] = {
    "backup": Kind.BOOL,
    "check_command": Kind.COMMAND,
    "check_timeout": Kind.DURATION,
    "command": Kind.COMMAND,
    "command_timeout": Kind.DURATION,
    "contents": Kind.STRING,
    "create_dest_dirs": Kind.BOOL,
    "destination": Kind.STRING,
    "error_fatal": Kind.BOOL,
    "error_on_missing_key": Kind.BOOL,
    "exec": EXEC,
    "function_blacklist": Kind.STRINGS,
    "function_denylist": Kind.STRINGS,
    "gid": Kind.INT,
    "group": Kind.STRING,
    "left_delimiter": Kind.STRING,
    "min_size": Kind.INT,
    "perms": Kind.MODE,
    "right_delimiter": Kind.STRING,
    "sandbox_path": Kind.STRING,
    "source": Kind.STRING,
    "uid": Kind.INT,
    "user": Kind.STRING,
    "wait": (Kind.WAIT, WAIT),
}
"""``check_command``, ``check_timeout`` and ``min_size`` are ours."""
_TELEMETRY: Final[Schema] = {
    "dogstatsd": {"address": Kind.STRING, "reporting_interval": Kind.DURATION},
    "prometheus": {"port": Kind.INT, "reporting_interval": Kind.DURATION},
    "stdout": {
        "do_not_print_time": Kind.BOOL,
        "pretty_print": Kind.BOOL,
        "reporting_interval": Kind.DURATION,
    },
}
SCHEMA: Final[Schema] = {
    "allow_functions": Kind.STRINGS,
    "block_query_wait": Kind.DURATION,
    "command_error_fatal": Kind.BOOL,
    "consul": (Kind.ADDRESS, CONSUL),
    "deduplicate": {
        "block_query_wait": Kind.DURATION,
        "enabled": Kind.BOOL,
        "max_stale": Kind.DURATION,
        "prefix": Kind.STRING,
        "ttl": Kind.DURATION,
    },
    "default_delimiters": {"left": Kind.STRING, "right": Kind.STRING},
    "err_on_failed_lookup": Kind.BOOL,
    "exec": EXEC,
    "kill_signal": Kind.SIGNAL,
    "log_file": {
        "log_rotate_bytes": Kind.INT,
        "log_rotate_duration": Kind.DURATION,
        "log_rotate_max_files": Kind.INT,
        "path": Kind.STRING,
    },
    "log_level": Kind.STRING,
    "max_stale": Kind.DURATION,
    "metrics_addr": Kind.STRING,
    "nomad": _NOMAD,
    "once": Kind.BOOL,
    "parse_only": Kind.BOOL,
    "pid_file": Kind.STRING,
    "reload_signal": Kind.SIGNAL,
    "syslog": {"enabled": Kind.BOOL, "facility": Kind.STRING, "name": Kind.STRING},
    "telemetry": _TELEMETRY,
    "template": (Kind.BLOCKS, TEMPLATE),
    "template_error_fatal": Kind.BOOL,
    "vault": VAULT,
    "wait": (Kind.WAIT, WAIT),
}
"""``allow_functions``, ``command_error_fatal`` and ``metrics_addr`` are ours."""

IGNORED: Final = {
    "deduplicate": "every instance renders by itself; a watch here costs the agent little",
    "nomad": "there is no Nomad here",
    "telemetry": "only its prometheus.port has; see metrics_addr",
}
"""Top blocks without effect, and why; told when ``enabled`` or given."""

_Path = tuple[str, ...]


def _prefixed(flag: str, path: _Path, names: Schema) -> dict[str, tuple[_Path, Kind]]:
    """Return flags for all plain keys of a block."""
    return {
        f"{flag}-{name.replace('_', '-')}": ((*path, name), kind)
        for name, kind in names.items()
        if isinstance(kind, Kind)
    }


FLAGS: Final[Mapping[str, tuple[_Path, Kind]]] = {
    "allow-function": (("allow_functions",), Kind.STRINGS),
    "consul-addr": (("consul", "address"), Kind.STRING),
    "consul-auth": (("consul", "auth"), Kind.STRING),
    "consul-namespace": (("consul", "namespace"), Kind.STRING),
    "consul-retry": (("consul", "retry", "enabled"), Kind.BOOL),
    **_prefixed("consul-retry", ("consul", "retry"), _RETRY),
    "consul-ssl": (("consul", "ssl", "enabled"), Kind.BOOL),
    **_prefixed("consul-ssl", ("consul", "ssl"), _SSL),
    "consul-token": (("consul", "token"), Kind.STRING),
    "consul-token-file": (("consul", "token_file"), Kind.STRING),
    **_prefixed("consul-transport", ("consul", "transport"), _TRANSPORT),
    "dedup": (("deduplicate", "enabled"), Kind.BOOL),
    "default-left-delimiter": (("default_delimiters", "left"), Kind.STRING),
    "default-right-delimiter": (("default_delimiters", "right"), Kind.STRING),
    "err-on-failed-lookup": (("err_on_failed_lookup",), Kind.BOOL),
    "exec": (("exec", "command"), Kind.COMMAND),
    "exec-env-allowlist": (("exec", "env", "allowlist"), Kind.STRINGS),
    "exec-env-custom": (("exec", "env", "custom"), Kind.STRINGS),
    "exec-env-denylist": (("exec", "env", "denylist"), Kind.STRINGS),
    "exec-env-pristine": (("exec", "env", "pristine"), Kind.BOOL),
    "exec-kill-signal": (("exec", "kill_signal"), Kind.SIGNAL),
    "exec-kill-timeout": (("exec", "kill_timeout"), Kind.DURATION),
    "exec-reload-signal": (("exec", "reload_signal"), Kind.SIGNAL),
    "exec-restart-on-failure": (("exec", "restart_on_failure"), Kind.BOOL),
    "exec-splay": (("exec", "splay"), Kind.DURATION),
    "kill-signal": (("kill_signal",), Kind.SIGNAL),
    "log-file": (("log_file", "path"), Kind.STRING),
    "log-level": (("log_level",), Kind.STRING),
    "log-rotate-bytes": (("log_file", "log_rotate_bytes"), Kind.INT),
    "log-rotate-duration": (("log_file", "log_rotate_duration"), Kind.DURATION),
    "log-rotate-max-files": (("log_file", "log_rotate_max_files"), Kind.INT),
    "max-stale": (("max_stale",), Kind.DURATION),
    "metrics-addr": (("metrics_addr",), Kind.STRING),
    "once": (("once",), Kind.BOOL),
    "parse-only": (("parse_only",), Kind.BOOL),
    "pid-file": (("pid_file",), Kind.STRING),
    "reload-signal": (("reload_signal",), Kind.SIGNAL),
    "retry": (("consul", "retry", "backoff"), Kind.DURATION),
    "syslog": (("syslog", "enabled"), Kind.BOOL),
    "syslog-facility": (("syslog", "facility"), Kind.STRING),
    "syslog-name": (("syslog", "name"), Kind.STRING),
    "template-error-fatal": (("template_error_fatal",), Kind.BOOL),
    "vault-addr": (("vault", "address"), Kind.STRING),
    "vault-agent-token-file": (("vault", "vault_agent_token_file"), Kind.STRING),
    "vault-client-user-agent": (("vault", "client_user_agent"), Kind.STRING),
    "vault-default-lease-duration": (("vault", "default_lease_duration"), Kind.DURATION),
    "vault-renew-token": (("vault", "renew_token"), Kind.BOOL),
    "vault-retry": (("vault", "retry", "enabled"), Kind.BOOL),
    **_prefixed("vault-retry", ("vault", "retry"), _RETRY),
    "vault-ssl": (("vault", "ssl", "enabled"), Kind.BOOL),
    **_prefixed("vault-ssl", ("vault", "ssl"), _SSL),
    "vault-token": (("vault", "token"), Kind.STRING),
    **_prefixed("vault-transport", ("vault", "transport"), _TRANSPORT),
    "vault-unwrap-token": (("vault", "unwrap_token"), Kind.BOOL),
    "wait": (("wait",), Kind.WAIT),
}
"""Flag to the key it sets and its kind."""
