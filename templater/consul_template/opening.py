"""What answers the queries of a life, opened when first asked for, and the watches on it."""

from collections.abc import Callable, Mapping
from typing import Final

from sidecar.runtime.clock import Clock
from sidecar.stores.consul.client import Client
from sidecar.stores.json_client import JsonClient, TlsFiles
from templater.consul_template.issuing import PkiSource
from templater.consul_template.queries import FileQuery, PkiQuery, Query, SecretQuery, SecretsQuery
from templater.consul_template.settings import Settings
from templater.consul_template.sources import SHARE, ConsulSource, FileSource, Source, VaultSource
from templater.consul_template.vault import Vault
from templater.consul_template.views import Retry, Views, ViewsMaker

__all__ = ["Sources", "views_maker"]

_VAULT_PAUSE: Final = 300.0
_VAULT_ATTEMPTS: Final = 12


class Sources:
    """The sources of one life; opened when first asked for."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], clock: Clock) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._environ = environ
        self._clock = clock
        self._consul: ConsulSource | None = None
        self._files = FileSource(clock)
        self._vault: tuple[VaultSource, PkiSource] | None = None

    def of(self, query: Query) -> Source:
        """Return what answers a query."""
        if isinstance(query, FileQuery):
            return self._files
        if isinstance(query, SecretQuery | SecretsQuery | PkiQuery):
            if self._vault is None:
                self._vault = self._opened_vault()
            secrets, certificates = self._vault
            return certificates if isinstance(query, PkiQuery) else secrets
        if self._consul is None:
            settings, consul = self._settings, self._settings.consul
            self._consul = ConsulSource(
                Client(consul.address), self._clock, max_stale=settings.max_stale,
                wait=settings.query_wait, namespace=consul.namespace,
            )  # fmt: skip
        return self._consul

    async def close(self) -> None:
        """Close connections."""
        if self._consul is not None:
            await self._consul.close()
        if self._vault is not None:
            await self._vault[0].close()

    def _opened_vault(self) -> tuple[VaultSource, PkiSource]:
        tree, environ = self._settings.vault, self._environ
        ssl = tree.get("ssl", {})
        tls = TlsFiles(
            authorities=ssl.get("ca_cert") or environ.get("VAULT_CACERT", ""),
            certificate=ssl.get("cert") or environ.get("VAULT_CLIENT_CERT", ""),
            key=ssl.get("key") or environ.get("VAULT_CLIENT_KEY", ""),
            is_unverified=ssl.get("verify") is False or bool(environ.get("VAULT_SKIP_VERIFY")),
        )
        address = tree.get("address") or environ.get("VAULT_ADDR") or "https://127.0.0.1:8200"
        vault = Vault(
            JsonClient(address, tls),
            token=tree.get("token") or environ.get("VAULT_TOKEN", ""),
            token_file=tree.get("vault_agent_token_file") or "",
            is_wrapped=bool(tree.get("unwrap_token")),
            namespace=tree.get("namespace") or environ.get("VAULT_NAMESPACE", ""),
            user_agent=tree.get("client_user_agent") or "",
        )
        pause = tree.get("default_lease_duration", _VAULT_PAUSE)
        share = tree.get("lease_renewal_threshold") or SHARE
        return VaultSource(vault, self._clock, pause, share), PkiSource(vault, self._clock, share)


def views_maker(sources: Sources, settings: Settings, clock: Clock) -> ViewsMaker:
    """Return what makes the watches of a life.

    A lost catalogue never ends a run that lasts; one that shall end does not try for ever.
    """
    consul, is_once = settings.consul, settings.is_once
    of_consul = Retry(consul.backoff, consul.max_backoff, consul.attempts if is_once else 0)
    of_vault = _vault_retry(settings)

    def retry_of(query: Query) -> Retry:
        is_vaults = isinstance(query, SecretQuery | SecretsQuery | PkiQuery)
        return of_vault if is_vaults else of_consul

    def made(deliver: Callable[[Query, object], None]) -> Views:
        return Views(
            sources.of, deliver, clock, retry_of=retry_of, is_once=is_once,
            needs_all=settings.err_on_failed_lookup,
        )  # fmt: skip

    return made


def _vault_retry(settings: Settings) -> Retry:
    tree, default = settings.vault.get("retry", {}), Retry()
    attempts = tree.get("attempts", _VAULT_ATTEMPTS) if tree.get("enabled", True) else 1
    return Retry(
        tree.get("backoff", default.first),
        tree.get("max_backoff", default.longest),
        attempts if settings.is_once else 0,
    )
