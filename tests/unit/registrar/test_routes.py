from collections.abc import Mapping
from typing import Any

import pytest

from registrar.routes import routes_of
from sidecar.catalog.model import HTTP_HOST, TCP_LISTEN
from sidecar.engine.facts import Port
from tests.support.docker import container

WEB, ALT, DNS = Port(80), Port(8080), Port(53, "udp")


def routed(ports: list[Port], **fields: Any) -> tuple[Mapping[Port, Any], list[tuple[str, str]]]:
    complaints: list[tuple[str, str]] = []
    found = routes_of(container(**fields), ports, lambda *each: complaints.append(each))
    return found, complaints


@pytest.mark.parametrize(
    ("ports", "fields", "expected"),
    [
        pytest.param([WEB], {}, {}, id="nothing-asked"),
        pytest.param(
            [WEB],
            {"env": ("VIRTUAL_HOST=a.example.org",)},
            {WEB: {HTTP_HOST: "a.example.org"}},
            id="variable",
        ),
        pytest.param(
            [WEB],
            {
                "env": ("VIRTUAL_HOST=no.example",),
                "labels": {"pinnace.http.host": " B.example ,, *.c"},
            },
            {WEB: {HTTP_HOST: "b.example,*.c"}},
            id="label-wins",
        ),
        pytest.param(
            [ALT, WEB], {"env": ("VIRTUAL_HOST=a",)}, {WEB: {HTTP_HOST: "a"}}, id="port-80"
        ),
        pytest.param(
            [Port(9000), ALT, DNS],
            {"env": ("VIRTUAL_HOST=a",)},
            {ALT: {HTTP_HOST: "a"}},
            id="lowest",
        ),
        pytest.param(
            [WEB, ALT],
            {"env": ("VIRTUAL_HOST=a", "VIRTUAL_PORT=8080")},
            {ALT: {HTTP_HOST: "a"}},
            id="chosen-port",
        ),
        pytest.param(
            [WEB],
            {"labels": {"pinnace.tcp.listen": "5432"}},
            {WEB: {TCP_LISTEN: "5432"}},
            id="tcp",
        ),
        pytest.param(
            [WEB, ALT],
            {"labels": {"pinnace.tcp.listen": "8080"}},
            {ALT: {TCP_LISTEN: "8080"}},
            id="tcp-same-number",
        ),
        pytest.param(
            [WEB, ALT],
            {"labels": {"pinnace.tcp.listen": "7", "pinnace.http.host": "a"}},
            {WEB: {HTTP_HOST: "a"}, ALT: {TCP_LISTEN: "7"}},
            id="both",
        ),
        pytest.param([WEB], {"labels": {"pinnace.tcp.listen": ""}}, {}, id="empty"),
    ],
)
def test_routes(ports: list[Port], fields: dict[str, Any], expected: dict[Port, Any]) -> None:
    assert routed(ports, **fields) == (expected, [])


@pytest.mark.parametrize(
    ("ports", "labels", "label", "words"),
    [
        ([WEB], {"pinnace.http.host": "a b"}, "pinnace.http.host", "'a b' is no host name"),
        ([WEB], {"pinnace.http.host": "a\n\tacl x"}, "pinnace.http.host", "'aacl x' is no host"),
        ([DNS], {"pinnace.http.host": "a"}, "pinnace.http.host", "offers no TCP port"),
        ([DNS], {"pinnace.tcp.listen": "1"}, "pinnace.tcp.listen", "offers no TCP port"),
        ([WEB], {"pinnace.tcp.listen": "70000"}, "pinnace.tcp.listen", "'70000' is no port"),
        ([WEB], {"pinnace.tcp.listen": "²"}, "pinnace.tcp.listen", "is no port"),
        (
            [WEB], {"pinnace.http.host": "a", "pinnace.http.port": "81"},
            "pinnace.http.port", "offers no TCP port 81",
        ),
        (
            [WEB], {"pinnace.http.host": "a", "pinnace.http.port": "x"},
            "pinnace.http.port", "'x' is no port",
        ),
    ],
)  # fmt: skip
def test_what_is_refused_is_told(
    ports: list[Port], labels: dict[str, str], label: str, words: str
) -> None:
    found, [(where, text)] = routed(ports, labels=labels)
    assert (found, where) == ({}, label)
    assert words in text


def test_a_flood_of_hosts_is_bounded() -> None:
    hosts = ",".join(f"host-{number}.example.org" for number in range(5000))
    found, complaints = routed([WEB], labels={"pinnace.http.host": hosts})
    assert found[WEB][HTTP_HOST].startswith("host-0.example.org,host-1.")
    assert len(found[WEB][HTTP_HOST]) <= 512
    assert len(complaints) < 250
