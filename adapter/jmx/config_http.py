"""Our own HTTP server: the part ``httpServer`` of the YAML, and stores of keys. Pure."""

from collections.abc import Mapping
from typing import Final

from adapter.documents import Node
from adapter.jmx.config_places import variable
from adapter.jmx.settings import Http, Password, Store

__all__ = ["http_of", "store_of"]

_KINDS: Final = ("PEM", "PKCS12", "JKS")
_HASHES: Final = ("SHA-1", "SHA-256", "SHA-512")
_ROUNDS: Final = {
    "PBKDF2WithHmacSHA1": 1_300_000,
    "PBKDF2WithHmacSHA256": 600_000,
    "PBKDF2WithHmacSHA512": 210_000,
}
"""jmx_exporter's defaults."""


def http_of(node: Node, environ: Mapping[str, str]) -> Http:
    """Return the settings of the server; threads are accepted and mean nothing here."""
    fields = node.fields(("metrics", "threads", "maximumRequestSeconds", "authentication", "ssl"))
    threads = fields["threads"].fields(("minimum", "maximum", "keepAliveTime"))
    for accepted in (*threads.values(), fields["maximumRequestSeconds"]):
        accepted.whole(1)
    keys, trust, mutual = _ssl(fields["ssl"], environ)
    return Http(
        path=_path(fields["metrics"].fields(("path",))["path"]),
        basic=_authentication(fields["authentication"], environ),
        keys=keys,
        trust=trust,
        mutual=mutual,
    )


def _path(node: Node) -> str:
    path = node.text("/metrics")
    if not path.startswith("/") or path != path.strip():
        node.wrong(f"is {path!r}; it has to begin with a /")
    return path


def _authentication(node: Node, environ: Mapping[str, str]) -> Password | None:
    if not node:
        return None
    basic = node.fields(("basic",))["basic"]
    if not basic:
        node.wrong("basic is needed")
        return None
    fields = basic.fields(
        ("username", "password", "algorithm", "passwordHash", "salt", "iterations", "keyLength")
    )
    algorithm = fields["algorithm"].choice(("plaintext", *_HASHES, *_ROUNDS), "plaintext")
    is_plain = algorithm == "plaintext"
    for key in ("username", *(("password",) if is_plain else ("passwordHash", "salt"))):
        if not fields[key]:
            basic.wrong(f"{key} is needed")
    fields["keyLength"].whole(1)  # the hash itself says how long it is
    return Password(
        username=variable(fields["username"], environ),
        password=variable(fields["password"], environ),
        algorithm=algorithm,
        hash=variable(fields["passwordHash"], environ),
        salt=variable(fields["salt"], environ),
        iterations=fields["iterations"].whole(_ROUNDS.get(algorithm, 1), least=1),
    )


def _ssl(node: Node, environ: Mapping[str, str]) -> tuple[Store | None, Store | None, bool]:
    fields = node.fields(("keyStore", "trustStore", "certificate", "mutualTLS"))
    # A store with several keys: the first is taken, whatever the alias.
    fields["certificate"].fields(("alias",))["alias"].text()
    keys = store_of(fields["keyStore"], environ)
    trust = store_of(fields["trustStore"], environ)
    mutual = fields["mutualTLS"].truth()
    if node and keys is None:
        node.wrong("keyStore is needed")
    if mutual and trust is None:
        node.wrong("mutualTLS needs a trustStore")
    return keys, trust, mutual


def store_of(node: Node, environ: Mapping[str, str]) -> Store | None:
    """Return a ``keyStore`` or ``trustStore``, if there is one."""
    if not node:
        return None
    fields = node.fields(("filename", "type", "password"))
    file = fields["filename"].text()
    if not file:
        node.wrong("filename is needed")
    kind = fields["type"].text().upper()
    if kind and kind not in _KINDS:
        fields["type"].wrong(f"is {kind!r}; it can be {', '.join(_KINDS)}")
    return Store(file, kind, variable(fields["password"], environ))
