import os
import ssl

import pytest

from sidecar.runtime.tls import without_authorities


def test_a_context_made_inside_knows_no_authority_and_one_made_after_knows_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", "/etc/ssl/certs")
    with without_authorities():
        inside = ssl.create_default_context()
    after = ssl.create_default_context()
    assert inside.cert_store_stats()["x509_ca"] == 0
    assert inside.verify_mode is ssl.CERT_REQUIRED
    assert after.cert_store_stats()["x509_ca"] > 0


def test_the_environment_comes_back_even_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/mine.pem")
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    inside = []

    def fail() -> None:
        with without_authorities():
            inside.append(os.environ["SSL_CERT_FILE"])
            raise ImportError

    with pytest.raises(ImportError):
        fail()
    assert inside == ["/nonexistent"]
    assert os.environ["SSL_CERT_FILE"] == "/etc/mine.pem"
    assert "SSL_CERT_DIR" not in os.environ
