"""TLS contexts from PEM, PKCS12 and JKS files."""

import os
import ssl
from pathlib import Path

from adapter.jmx.jks import read_jks
from adapter.jmx.keystore import Keys, as_pem
from adapter.jmx.pkcs12 import read_pkcs12
from adapter.jmx.settings import Http, Store, Tls
from sidecar.errors import ConfigError

__all__ = ["context_of", "server_context", "stored"]


def context_of(tls: Tls) -> ssl.SSLContext:
    """Return what wraps our connections. Raises ConfigError naming the file.

    The peer has to be signed by one of ``trustStore``, or without that by an authority of this
    system. Its name is not compared, as Java does not for RMI.
    """
    context = ssl.create_default_context() if tls.trust is None else _client()
    context.check_hostname = False
    if tls.trust is not None:
        _trust(context, tls.trust)
    if tls.keys is not None:
        _identify(context, tls.keys)
    _restrict(context, tls)
    return context


def server_context(http: Http) -> ssl.SSLContext | None:
    """Return what wraps our server's connections. Raises ConfigError naming the file."""
    if http.keys is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _identify(context, http.keys)
    if http.trust is not None:
        _trust(context, http.trust)
        context.verify_mode = ssl.CERT_REQUIRED if http.mutual else ssl.CERT_NONE
    return context


def stored(store: Store) -> Keys:
    """Return what a file holds. Raises ConfigError naming it."""
    try:
        data = Path(store.file).read_bytes()
        kind = store.kind or _kind(data)
        if kind == "JKS" and data[:4] != b"\xfe\xed\xfe\xed":
            kind = "PKCS12"  # Java reads either under both names
        elif kind == "PKCS12" and data[:4] == b"\xfe\xed\xfe\xed":
            kind = "JKS"
        if kind == "PEM":
            return Keys((), (), data)
        return (read_jks if kind == "JKS" else read_pkcs12)(data, store.password)
    except OSError as error:
        raise ConfigError([f"{store.file}: {error.strerror or error}"]) from error
    except ValueError as error:
        raise ConfigError([f"{store.file}: {error}"]) from error


def _kind(data: bytes) -> str:
    if b"-----BEGIN" in data:
        return "PEM"
    return "JKS" if data[:4] == b"\xfe\xed\xfe\xed" else "PKCS12"


def _client() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    return context


def _pem(store: Store, *, with_keys: bool = False) -> str:
    try:
        return as_pem(stored(store), with_keys=with_keys)
    except ValueError as error:
        raise ConfigError([f"{store.file}: {error}"]) from error


def _trust(context: ssl.SSLContext, store: Store) -> None:
    try:
        context.load_verify_locations(cadata=_pem(store))
    except (ssl.SSLError, ValueError) as error:
        what = f"no certificate that can be trusted ({error})"
        raise ConfigError([f"{store.file}: {what}"]) from error
    # A server's own certificate may stand in a trust store without the one that signed it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN


def _identify(context: ssl.SSLContext, store: Store) -> None:
    """Load a key and its certificates: by OpenSSL's way, from a file, which only we can see."""
    text = _pem(store, with_keys=True)
    handle = os.memfd_create("keys", os.MFD_CLOEXEC)
    try:
        os.write(handle, text.encode())
        context.load_cert_chain(f"/proc/self/fd/{handle}", password=store.password or "")
    except ssl.SSLError as error:
        what = f"no key with its certificate, or a wrong password ({error})"
        raise ConfigError([f"{store.file}: {what}"]) from error
    finally:
        os.close(handle)


def _restrict(context: ssl.SSLContext, tls: Tls) -> None:
    known = {
        "TLSv1": ssl.TLSVersion.TLSv1, "TLSv1.1": ssl.TLSVersion.TLSv1_1,
        "TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3,
    }  # fmt: skip
    if tls.protocols:
        wanted = [known[name] for name in tls.protocols if name in known]
        if not wanted:
            raise ConfigError([f"ssl.protocols: known are {', '.join(known)}"])
        context.minimum_version, context.maximum_version = min(wanted), max(wanted)
    names = [_openssl_name(name) for name in tls.ciphers if not name.startswith("TLS_AES")]
    if names:
        try:
            context.set_ciphers(":".join(names))
        except ssl.SSLError as error:
            raise ConfigError([f"ssl.ciphers: none of them is known ({error})"]) from error


def _openssl_name(name: str) -> str:
    """Return OpenSSL's name of a suite: ``TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`` and its kind."""
    plain = name.removeprefix("TLS_").replace("_WITH_AES_", "_AES").replace("_GCM", "-GCM")
    plain = plain.replace("_CBC_", "_").replace("_WITH_", "_").removeprefix("RSA_")
    return plain.replace("_", "-")
