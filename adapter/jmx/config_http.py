"""Our own HTTP server: the part ``httpServer`` of the YAML, and stores of keys. Pure."""

from collections.abc import Mapping
from typing import Final

from adapter.jmx.config_places import variable
from adapter.jmx.settings import Http, Password, Store
from adapter.yamldoc import Item, Table

__all__ = ["http_of", "store_of"]

_KINDS: Final = ("", "PEM", "PKCS12", "JKS")
_HASHES: Final = ("plaintext", "SHA-1", "SHA-256", "SHA-512")
_DERIVED: Final = ("PBKDF2WithHmacSHA1", "PBKDF2WithHmacSHA256", "PBKDF2WithHmacSHA512")


def http_of(item: Item | None, environ: Mapping[str, str]) -> Http:
    """Return the settings of the server; threads are accepted and mean nothing here."""
    if item is None:
        return Http()
    table = item.table()
    path = _path(table.get("metrics"))
    basic = _authentication(table.get("authentication"), environ)
    keys, trust, mutual = _ssl(table.get("ssl"), environ)
    if (threads := table.get("threads")) is not None:
        inner = threads.table()
        for key in ("minimum", "maximum", "keepAliveTime"):
            inner.a(key, int, 1)
        inner.finish()
    table.a("maximumRequestSeconds", int, 1)
    table.finish()
    return Http(path=path, basic=basic, keys=keys, trust=trust, mutual=mutual)


def _path(item: Item | None) -> str:
    if item is None:
        return "/metrics"
    table = item.table()
    path = table.a("path", str, "/metrics")
    if not path.startswith("/") or path != path.strip() or "{" in path:
        item.wrong(f"path is {path!r}; it has to begin with a /")
        path = "/metrics"
    table.finish()
    return path


def _authentication(item: Item | None, environ: Mapping[str, str]) -> Password | None:
    if item is None:
        return None
    table = item.table()
    basic = table.get("basic")
    table.finish()
    if basic is None:
        item.wrong("only basic is supported")
        return None
    inner = basic.table()
    algorithm = inner.one_of("algorithm", (*_HASHES, *_DERIVED), "plaintext")
    found = Password(
        username=_text(inner, "username", environ),
        password=_text(inner, "password", environ, needed=algorithm == "plaintext"),
        algorithm=algorithm,
        hash=_text(inner, "passwordHash", environ, needed=algorithm != "plaintext"),
        salt=_text(inner, "salt", environ, needed=algorithm != "plaintext"),
        iterations=inner.a("iterations", int, 310000 if algorithm == _DERIVED[1] else 210000),
        key_length=inner.a("keyLength", int, 128),
    )
    inner.finish()
    return found


def _text(table: Table, key: str, environ: Mapping[str, str], *, needed: bool = True) -> str:
    item = table.get(key)
    if item is None or item.is_null:
        if needed:
            table.item.wrong(f"{key} is needed")
        return ""
    return variable(item, environ)


def _ssl(item: Item | None, environ: Mapping[str, str]) -> tuple[Store | None, Store | None, bool]:
    if item is None:
        return None, None, False
    table = item.table()
    keys, trust = table.get("keyStore"), table.get("trustStore")
    mutual = table.a("mutualTLS", bool, default=False)
    if (certificate := table.get("certificate")) is not None:
        inner = certificate.table()
        inner.a("alias", str, "")  # a store with several keys: the first is taken
        inner.finish()
    if keys is None:
        item.wrong("keyStore is needed")
    if mutual and trust is None:
        item.wrong("mutualTLS needs a trustStore")
    table.finish()
    return (
        None if keys is None else store_of(keys, environ),
        None if trust is None else store_of(trust, environ),
        mutual,
    )


def store_of(item: Item, environ: Mapping[str, str]) -> Store:
    """Return a ``keyStore`` or ``trustStore``."""
    table = item.table()
    file = table.a("filename", str, "")
    if not file:
        item.wrong("filename is needed")
    given = table.get("type")
    kind = given.a(str, "").upper() if given is not None else ""
    if given is not None and kind not in _KINDS:
        given.wrong(f"is {kind!r}; it can be PEM, PKCS12 or JKS")
    password = table.get("password")
    table.finish()
    return Store(file, kind, variable(password, environ) if password is not None else "")
