"""Which agent is asked, as configuration and environment say it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from sidecar.stores.consul.address import Address, address_of
from templater.consul_template.schema import Tree

__all__ = ["ConsulSettings"]


@dataclass(frozen=True, slots=True)
class ConsulSettings:
    """Which agent is asked, and how again when it is away."""

    address: Address
    namespace: str = ""
    attempts: int = 12
    backoff: float = 0.25
    max_backoff: float = 60.0
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    """How a child reaches the same agent, secrets included."""

    @classmethod
    def of(cls, tree: Tree, environ: Mapping[str, str]) -> Self:
        """Return the settings of a block; what it lacks comes from CONSUL_*. Raises ConfigError."""
        retry = tree.get("retry", {})
        given = _consul_environ(tree)
        older = {f"CONSUL_HTTP_{name}": environ.get(f"CONSUL_{name}", "") for name in _OLDER}
        return cls(
            address=address_of("consul://", {**older, **environ, **given}),
            namespace=tree.get("namespace", environ.get("CONSUL_NAMESPACE", "")),
            attempts=retry.get("attempts", 12) if retry.get("enabled", True) else 1,
            backoff=retry.get("backoff", 0.25),
            max_backoff=retry.get("max_backoff", 60.0) or 3600.0,
            environ=given,
        )


_OLDER: Final = ("TOKEN", "TOKEN_FILE")
"""What may also stand in a variable without ``HTTP_`` in its name."""
_SSL_NAMES: Final = {
    "ca_cert": "CONSUL_CACERT",
    "ca_path": "CONSUL_CAPATH",
    "cert": "CONSUL_CLIENT_CERT",
    "key": "CONSUL_CLIENT_KEY",
    "server_name": "CONSUL_TLS_SERVER_NAME",
}


def _consul_environ(tree: Tree) -> dict[str, str]:
    """Return the variables of Consul's own client that say what a block says."""
    auth, ssl = tree.get("auth", {}), tree.get("ssl", {})
    named = {
        "CONSUL_HTTP_ADDR": tree.get("address", ""),
        "CONSUL_HTTP_TOKEN": tree.get("token", ""),
        "CONSUL_HTTP_TOKEN_FILE": tree.get("token_file", ""),
        **{name: ssl.get(key, "") for key, name in _SSL_NAMES.items()},
    }
    if auth.get("username") and auth.get("enabled", True):
        named["CONSUL_HTTP_AUTH"] = f"{auth['username']}:{auth.get('password', '')}"
    if ssl:
        enabled = ssl.get("enabled", any(value for key, value in ssl.items() if key != "verify"))
        named["CONSUL_HTTP_SSL"] = str(enabled).lower()
        named["CONSUL_HTTP_SSL_VERIFY"] = str(ssl.get("verify", True)).lower()
    return {name: value for name, value in named.items() if value}
