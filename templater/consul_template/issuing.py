"""Asks Vault for certificates, and again before they end; one in the destination is taken first."""

import asyncio
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sidecar.errors import StoreUnavailable
from sidecar.runtime.clock import Clock
from templater.consul_template.pki import PkiQuery, Validity, certificates_of, issued, kept, pems_of
from templater.consul_template.queries import Query
from templater.consul_template.sources import Fetched
from templater.consul_template.vault import Vault

__all__ = ["PkiSource"]

_LARGEST: Final = 1 << 20
_LONGEST_SLEEP: Final = 60.0
"""The wall clock may be turned, and a machine may sleep."""
_SOONEST: Final = 1.0


class PkiSource:
    """Certificates of Vault; each is due again when ``share`` of its life is over."""

    def __init__(self, vault: Vault, clock: Clock, share: float) -> None:
        """``vault`` is closed by whoever made it."""
        self._vault = vault
        self._clock = clock
        self._share = share
        self._due: dict[Query, float] = {}

    async def fetch(self, query: Query, index: int) -> Fetched:
        """Return a certificate's texts; with an index, when the last one is due."""
        if not isinstance(query, PkiQuery):
            raise TypeError(f"{query} asks for no certificate")
        while index and (left := self._due.get(query, 0.0) - self._clock.wall()) > 0:
            await self._clock.sleep(min(left, _LONGEST_SLEEP))
        text = await asyncio.to_thread(_content, query.destination)
        validity = kept(text, query)
        if validity is not None and self._is_good(validity):
            self._due[query] = validity.renewal(self._share)
        else:
            text = await self._issued(query)
        return Fetched(text.encode("utf-8", "surrogateescape"), index + 1)

    def read(self, _query: Query, body: bytes | None) -> object:
        """Return the certificate with its key."""
        return pems_of((body or b"").decode("utf-8", "surrogateescape"))

    def _is_good(self, validity: Validity) -> bool:
        return self._clock.wall() < min(validity.end, validity.renewal(self._share))

    async def _issued(self, query: PkiQuery) -> str:
        answer = await self._vault.ask("PUT", f"/v1/{quote(query.path)}", body=dict(query.data))
        if not isinstance(answer, dict) or not isinstance(data := answer.get("data"), dict):
            raise StoreUnavailable(f"{query}: no secret exists at {query.path}")
        text = issued(data)
        found = certificates_of(text)
        if not found:
            raise StoreUnavailable(f"{query}: Vault's answer has no certificate")
        now, validity = self._clock.wall(), found[-1]
        if validity.end <= now:
            raise StoreUnavailable(
                f"{query}: the new certificate has ended by this machine's clock"
            )
        # Vault dates back by 30 s: of a short life most may be over at once, then half the rest
        soonest = now + max(_SOONEST, (validity.end - now) / 2)
        renewal = validity.renewal(self._share)
        self._due[query] = renewal if renewal > now else soonest
        return text


def _content(path: str) -> str:
    """Return what a destination holds, nothing when it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return file.read(_LARGEST).decode("utf-8", "surrogateescape")
    except (OSError, ValueError):
        return ""
