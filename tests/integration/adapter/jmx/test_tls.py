"""TLS contexts made of the settings; handshakes are in test_real_jvms.py."""

import ssl
from pathlib import Path

import pytest

from adapter.jmx.settings import Http, Store, Tls
from adapter.jmx.tls import context_of, server_context
from sidecar.errors import ConfigError

STORES = Path(__file__).parents[3] / "unit" / "adapter" / "jmx" / "stores"
WORD = "changeit"


def _store(name: str, kind: str = "", password: str = WORD) -> Store:
    return Store(str(STORES / name), kind, password)


def test_protocols_and_ciphers_take_java_s_names() -> None:
    tls = Tls(
        enabled=True,
        trust=_store("trust.jks"),
        keys=_store("keytool.p12"),
        protocols=("TLSv1.2",),
        ciphers=("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
    )
    context = context_of(tls)
    assert context.minimum_version == context.maximum_version == ssl.TLSVersion.TLSv1_2
    assert "ECDHE-RSA-AES128-GCM-SHA256" in {one["name"] for one in context.get_ciphers()}
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert not context.check_hostname
    assert len(context.get_ca_certs()) <= 1
    assert context_of(Tls(ciphers=("TLS_RSA_WITH_AES_256_CBC_SHA",))).check_hostname is False


@pytest.mark.parametrize(
    ("tls", "words"),
    [
        (Tls(protocols=("SSLv3",)), "known are TLSv1"),
        (Tls(ciphers=("NOPE",)), "none of them is known"),
        (Tls(trust=_store("k.der", "PEM")), "no certificate that can be trusted"),
        (Tls(trust=_store("nowhere.jks")), "No such file"),
        (Tls(keys=_store("trust.p12")), "there is no private key in it"),
        (Tls(keys=_store("c.der", "PEM")), "no key with its certificate"),
        (Tls(keys=_store("store.jks", password="bad")), "the password is wrong"),
    ],
)
def test_what_cannot_be_used_is_told(tls: Tls, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        context_of(tls)


def test_a_store_is_read_whatever_java_calls_it() -> None:
    tls = Tls(keys=_store("keytool.p12", "JKS"), trust=_store("trust.jks", "PKCS12"))
    assert context_of(tls).verify_mode is ssl.CERT_REQUIRED


def test_our_own_server_asks_for_certificates_only_if_told() -> None:
    assert server_context(Http()) is None
    keys, trust = _store("keytool.p12"), _store("trust.jks")
    plain = server_context(Http(keys=keys, trust=trust))
    mutual = server_context(Http(keys=keys, trust=trust, mutual=True))
    assert plain is not None
    assert mutual is not None
    assert (plain.verify_mode, mutual.verify_mode) == (ssl.CERT_NONE, ssl.CERT_REQUIRED)
