"""pkiCert: what is read of certificates, and which one of a destination is taken again."""

import ssl

import pytest

from sidecar.gotemplate.template import compile_template
from templater.consul_template.pki import (
    PkiQuery,
    Validity,
    certificates_of,
    issued,
    kept,
    pems_of,
)
from tests.support.forged import block, forged

LEAF = forged(1000, 2000, common="Web.test")
ROOT = forged(0, 9000, common="Root", is_authority=True)
INNER = forged(0, 8000, common="Inner", is_authority=True)
KEY = block("EC PRIVATE KEY", b"key")


def _asked(name: str = "") -> PkiQuery:
    return PkiQuery("pki/issue/web", (("common_name", name), ("ttl", "1h")), "/out")


@pytest.mark.parametrize(
    "text",
    [
        LEAF + KEY + INNER + ROOT,
        INNER + ROOT + KEY + LEAF,
        f"\0Certs='{LEAF.strip()}'{KEY.strip()}{{{{{INNER}{INNER}{ROOT}}}}}",
        (LEAF + INNER + ROOT + KEY).replace("\n", "\r\n"),
        "\n".join(f"\t{line}" for line in (KEY + LEAF + INNER + ROOT).splitlines()),
        block("DH PARAMETERS", b"x") + INNER + LEAF + ROOT + KEY + "-----BEGIN CERTIFICATE-----",
    ],
)
def test_blocks_are_found_in_any_order_whatever_is_around_them(text: str) -> None:
    found = pems_of(text)
    assert (found.Cert, found.Key, found.CA, list(found.CAChain)) == (
        LEAF, KEY, INNER, [INNER, ROOT],
    )  # fmt: skip


def test_what_is_missing_is_empty_and_of_two_the_last_counts() -> None:
    assert pems_of("nothing") == pems_of("")
    assert pems_of("").Cert == pems_of("").Key == pems_of("").CA == ""
    assert pems_of(LEAF + forged(1, 2)).Cert == forged(1, 2)


@pytest.mark.parametrize(
    "text",
    [
        block("CERTIFICATE", b"0"),
        block("CERTIFICATE", b"\x30\x02\x30\x00"),
        "-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n",
        LEAF.replace("CERTIFICATE", "X CERTIFICATE"),
        forged(1000, 2000).replace("\n", "\n=", 1),
    ],
)
def test_a_broken_certificate_is_none(text: str) -> None:
    assert certificates_of(text) == []
    assert kept(text + KEY, _asked()) is None


@pytest.mark.parametrize("time", [b"7001010016Z", b"70010100164xZ", b"701301001640Z"])
def test_a_time_that_is_not_understood_makes_it_none(time: bytes) -> None:
    right = b"700101001640Z"
    body = ssl.PEM_cert_to_DER_cert(LEAF)
    assert body.count(right) == 1
    assert certificates_of(block("CERTIFICATE", body.replace(right, time.rjust(13, b"0")))) == []


@pytest.mark.parametrize("end", [2_500_000_000, 2_600_000_000, 253_402_300_799])
def test_times_before_and_after_2050_are_read(end: int) -> None:
    assert certificates_of(forged(-500_000_000, end)) == [Validity(-500_000_000, end)]


def test_renewal_is_at_a_share_of_the_whole_life() -> None:
    assert Validity(1000, 2000).renewal(0.9) == 1900


@pytest.mark.parametrize(
    ("text", "name", "is_kept"),
    [
        (LEAF + KEY, "", True),
        (LEAF + KEY, "web.TEST", True),
        (LEAF, "web.test", True),
        (LEAF + KEY + ROOT + LEAF + KEY, "web.test", True),
        (forged(1000, 2000, common="x", host="web.test") + KEY, "web.test", True),
        (LEAF + KEY, "eb.test", False),
        (LEAF + KEY, "web.tes", False),
        (LEAF + KEY, "other.test", False),
        (LEAF + KEY, "n" * 128, True),  # longer than a name may be: nothing to compare
        (LEAF + KEY + forged(1000, 2001), "", False),
        (LEAF + KEY + block("PRIVATE KEY", b"other"), "", False),
        (ROOT + KEY, "", False),
        ("", "", False),
    ],
)
def test_certificate_of_a_destination_counts_when_it_is_plainly_the_one(
    text: str, name: str, is_kept: bool
) -> None:
    assert kept(text, _asked(name)) == (Validity(1000, 2000) if is_kept else None)


def test_answer_of_vault_is_all_its_texts() -> None:
    data = {
        "ca_chain": [INNER.strip(), ROOT.strip(), 5],
        "certificate": LEAF.strip(),
        "expiration": 2000,
        "issuing_ca": INNER.strip(),
        "private_key": KEY.strip(),
        "private_key_type": "ec",
    }
    assert pems_of(issued(data)) == pems_of(LEAF + INNER + ROOT + KEY)
    assert pems_of(issued({"certificate": LEAF, "ca_chain": "x"})).Cert == LEAF


def test_templates_see_gos_fields_and_data_is_the_same_again() -> None:
    text = (
        "{{ .Cert }}{{ .Key }}{{ .CA }}{{ len .CAChain }}{{ .Data.CA }}{{ .CaChainContains .CA }}"
    )
    found = pems_of(LEAF + KEY + INNER + ROOT)
    assert compile_template("t", text, {}).execute(found) == (
        f"{LEAF}{KEY}{INNER}2{INNER}true"
    )  # fmt: skip
    assert compile_template("t", '{{ printf "%T" . }}', {}).execute(found) == (
        "dependency.PemEncoded"
    )
