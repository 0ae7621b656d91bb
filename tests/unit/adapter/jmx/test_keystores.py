"""Key stores made by keytool 17 and OpenSSL 3, password ``changeit``; the key serves nothing."""

from pathlib import Path

import pytest

from adapter.jmx.aes import decrypted
from adapter.jmx.jks import read_jks
from adapter.jmx.keystore import Keys, as_pem
from adapter.jmx.pkcs12 import read_pkcs12
from sidecar.der import children, oid_of, read_der

STORES = Path(__file__).parent / "stores"
KEY = (STORES / "k.der").read_bytes()
CERTIFICATE = (STORES / "c.der").read_bytes()


def _read(name: str, password: str = "changeit") -> Keys:
    data = (STORES / name).read_bytes()
    return (read_jks if name.endswith("jks") else read_pkcs12)(data, password)


@pytest.mark.parametrize("name", ["openssl.p12", "keytool.p12", "mixed.p12", "store.jks"])
def test_key_and_certificate_are_those_that_went_in(name: str) -> None:
    assert _read(name) == Keys((KEY,), (CERTIFICATE,))


@pytest.mark.parametrize("name", ["trust.p12", "trust.jks"])
def test_a_trust_store_has_certificates_only(name: str) -> None:
    assert _read(name) == Keys((), (CERTIFICATE,))
    with pytest.raises(ValueError, match="no private key"):
        as_pem(_read(name), with_keys=True)


@pytest.mark.parametrize("name", ["openssl.p12", "keytool.p12", "store.jks", "trust.jks"])
def test_a_wrong_password_is_told(name: str) -> None:
    with pytest.raises(ValueError, match="password is wrong"):
        _read(name, "other")


def test_a_trust_store_of_java_can_be_read_without_its_password() -> None:
    assert _read("trust.jks", "").certificates == (CERTIFICATE,)


def test_a_store_without_any_encryption_is_read() -> None:
    assert _read("plain.p12", "") == Keys((KEY,), (CERTIFICATE,))


def test_what_is_no_store_is_told() -> None:
    for data in (b"text", b"\x30\x03\x02\x01\x03", b"\xfe\xed\xfe\xed"):
        with pytest.raises(ValueError, match=r"store|ASN"):
            read_pkcs12(data, "")
    jks = (STORES / "store.jks").read_bytes()
    for data, words in (
        (b"text", "no key store of Java"),
        (jks[:7] + b"\x09" + jks[8:], "version 9"),
        (jks[:15] + b"\x07" + jks[16:], "kind 7"),
        (jks[:40], "in the middle"),
        (jks, "password of the key is wrong"),
    ):
        with pytest.raises(ValueError, match=words):
            read_jks(data, "")


def test_the_first_version_of_jks_names_no_kind_of_certificate() -> None:
    head = b"\xfe\xed\xfe\xed" + (1).to_bytes(4, "big") + (1).to_bytes(4, "big")
    entry = (2).to_bytes(4, "big") + b"\x00\x01a" + bytes(8) + (3).to_bytes(4, "big") + b"abc"
    assert read_jks(head + entry + bytes(20), "") == Keys((), (b"abc",))


def test_old_ciphers_are_told_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="keytool -importkeystore"):
        _read("legacy.p12")


@pytest.mark.parametrize("name", ["openssl.p12", "keytool.p12", "store.jks", "trust.jks"])
def test_a_damaged_store_is_told_or_read_as_it_was(name: str) -> None:
    data = (STORES / name).read_bytes()
    read = read_jks if name.endswith("jks") else read_pkcs12
    whole = read(data, "changeit")
    for at in range(0, len(data), 7):
        for broken in (data[:at], data[:at] + b"\xff" + data[at + 1 :]):
            if broken == data:
                continue
            try:
                found = read(broken, "changeit")
            except ValueError:
                continue
            assert found == whole  # some octets of PKCS #12 are outside of what its MAC covers


def test_pem_is_made_for_openssl() -> None:
    text = as_pem(Keys((KEY,), (CERTIFICATE,)), with_keys=True)
    assert text.startswith("-----BEGIN PRIVATE KEY-----\n")
    assert text.count("-----BEGIN CERTIFICATE-----") == 1
    assert as_pem(Keys((), (), b"ready")) == "ready"
    with pytest.raises(ValueError, match="no certificate"):
        as_pem(Keys((KEY,), ()))


def test_aes_gives_the_plain_texts_of_the_standard() -> None:
    # NIST SP 800-38A, F.2.1, F.2.3 and F.2.5: the first block, with a block of padding added.
    plain = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")
    start = bytes(range(16))
    for key, cover in (
        ("2b7e151628aed2a6abf7158809cf4f3c", "7649abac8119b246cee98e9b12e9197d"),
        (
            "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
            "4f021db243bc633d7178183a9fa071e8",
        ),
        (
            "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            "f58c4c04d6e5f1ba779eabfb5f7bfbd6",
        ),
    ):
        with pytest.raises(ValueError, match="password is wrong"):
            decrypted(bytes.fromhex(key), start, bytes.fromhex(cover))
        shifted = bytes(a ^ b ^ 16 for a, b in zip(plain, start, strict=True))
        # With this start the block decrypts to sixteen times 16: padding and nothing else.
        assert decrypted(bytes.fromhex(key), shifted, bytes.fromhex(cover)) == b""
    with pytest.raises(ValueError, match="AES-CBC"):
        decrypted(bytes(5), start, bytes(16))


def test_der_is_read_and_nonsense_refused() -> None:
    assert oid_of(read_der(bytes.fromhex("06092a864886f70d010701"))) == "1.2.840.113549.1.7.1"
    assert oid_of(read_der(b"\x06\x00")) == ""
    assert read_der(b"\x02\x01\xff").number == -1
    assert [value.body for value in children(b"\x04\x01a\x04\x81\x01b")] == [b"a", b"b"]
    for data in (b"", b"\x30", b"\x30\x05a", b"\x30\x80\x00\x00"):
        with pytest.raises(ValueError, match=r"ASN\.1"):
            read_der(data)
