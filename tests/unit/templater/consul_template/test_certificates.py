"""Certificates of the mesh: requests, answers, names of fields."""

import pytest

from sidecar.errors import ProtocolError
from sidecar.gotemplate.template import compile_template
from templater.consul_template.answers import request_of, value_of
from templater.consul_template.certificates import CaLeafQuery, CaRootsQuery, Leaf

ROOTS = b"""{"ActiveRootID": "a:b", "TrustDomain": "x.consul", "Roots": [
  {"ID": "a:b", "Name": "CA", "RootCert": "PEM", "Active": true, "CreateIndex": 5}]}"""
LEAF = b"""{"SerialNumber": "08", "CertPEM": "C", "PrivateKeyPEM": "K", "Service": "web",
  "ServiceURI": "spiffe://x", "ValidAfter": "2026-11-21T18:56:54Z",
  "ValidBefore": "2026-11-24T18:56:54Z", "CreateIndex": 14, "ModifyIndex": 15}"""


def test_requests_go_to_the_agent() -> None:
    assert request_of(CaRootsQuery()).parts == ("agent", "connect", "ca", "roots")
    assert request_of(CaLeafQuery("web")).parts == ("agent", "connect", "ca", "leaf", "web")
    assert [str(CaRootsQuery()), str(CaLeafQuery("web"))] == [
        "connect.caroots", "connect.caleaf(web)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text", "shown"),
    [
        (
            value_of(CaRootsQuery(), ROOTS),
            "{{range .}}{{.ID}} {{.Name}} {{.RootCertPEM}} {{.Active}} {{.CreateIndex}}{{end}}",
            "a:b CA PEM true 5",
        ),
        (
            value_of(CaLeafQuery("web"), LEAF),
            "{{.SerialNumber}} {{.CertPEM}}{{.PrivateKeyPEM}} {{.Service}} {{.ServiceURI}}",
            "08 CK web spiffe://x",
        ),
        (
            value_of(CaLeafQuery("web"), LEAF),
            '{{.ValidAfter.Format "2006-01-02"}} {{.ValidBefore.Unix}} {{.ModifyIndex}}',
            "2026-11-21 1795546614 15",
        ),
    ],
)
def test_fields_have_gos_names(value: object, text: str, shown: str) -> None:
    assert compile_template("t", text, {}).execute(value) == shown


def test_nothing_is_nothing_and_nonsense_is_refused() -> None:
    assert value_of(CaLeafQuery("web"), None) is None
    assert value_of(CaRootsQuery(), b"{}") == value_of(CaRootsQuery(), None)
    assert isinstance(value_of(CaLeafQuery("web"), LEAF), Leaf)
    with pytest.raises(ProtocolError, match=r"connect\.caleaf"):
        value_of(CaLeafQuery("web"), b"{}")
