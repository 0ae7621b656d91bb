"""The rendered file, and what can never happen to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.catalog.changes import Put, apply
from sidecar.catalog.model import (
    BACKUP,
    CERT_NAME,
    CHECK,
    EMPTY,
    HTTP_ACCESS,
    HTTP_BALANCE,
    HTTP_HOST,
    HTTP_PROTO,
    HTTPS_METHOD,
    RETRIES,
    STICKY,
    TCP_LISTEN,
    TIMEOUT_ANSWER,
    TIMEOUT_CONNECT,
    TIMEOUT_TUNNEL,
    Instance,
    InstanceId,
)
from sidecar.errors import RenderError
from templater.haproxy.model import NOTHING, Backend, BackendName
from templater.haproxy.render import Files, Renderer
from templater.haproxy.slots import grown
from templater.names import Address, CertName, Port, SocketAddress
from templater.routes import Endpoint, Key, Protocol, State, Upstream, routes_of
from templater.securing import secured
from templater.tls import Certificate
from tests.unit.templater.haproxy_models import WEB, endpoint, model_of, routes_to

HOST = Address("127.0.0.1")


def renderer() -> Renderer:
    return Renderer(SocketAddress(HOST, Port(8080)), HOST, threads=2, maxconn=100)


def sections(files: Files) -> list[tuple[str, ...]]:
    """Return the first words of each section and each line's first word, as HAProxy splits."""
    return [
        tuple(line.split()) if not line.startswith(" ") else (line.split()[0],)
        for line in files.config.split("\n")
        if line.strip() and not line.lstrip().startswith("#")
    ]


def test_slots_are_written_with_their_true_addresses() -> None:
    text = (
        renderer()
        .files(
            model_of(
                endpoint("a", 81, 7),
                endpoint("b", 82, 7, State.DRAIN),
                endpoint("c", 83, 7, State.MAINT),
            )
        )
        .config
    )
    assert text.endswith(
        "\nbackend http.web\n"
        "    mode http\n"
        "    retry-on conn-failure empty-response response-timeout\n"
        "    server s1 192.0.2.1:81 weight 7\n"
        "    server s2 192.0.2.1:82 weight 0\n"
        "    server s3 192.0.2.1:83 weight 7 disabled\n"
        "    server s4 127.0.0.1:1 disabled\n"
    )


def test_a_listener_is_a_frontend_of_tcp() -> None:
    routes = routes_to(endpoint("a"), upstream=Upstream(Protocol.TCP, "db"), ports=(5432,))
    text = renderer().files(grown(NOTHING, routes)).config
    assert "frontend tcp_5432\n    mode tcp\n    bind 127.0.0.1:5432\n" in text
    assert "    default_backend tcp.db\n" in text
    assert "backend tcp.db\n    mode tcp\n    timeout server 1h\n" in text


def test_maps_hold_hosts_and_suffixes() -> None:
    routes = routes_to(hosts=("web.localhost",), wildcards=("*.example.org",))
    files = renderer().files(grown(NOTHING, routes))
    assert files.hosts == "web.localhost http.web\n"
    assert files.wildcards == ".example.org http.web\n"


def test_what_must_stand_in_the_file_stands_there() -> None:
    text = renderer().files(NOTHING).config
    for line in (
        "master-worker", "option idle-close-on-response", "retries 3", "option redispatch 1",
        "http-reuse safe", "hard-stop-after 300s", "default_backend no_route", "maxconn 100",
        "stats socket unix@admin.sock mode 600 level admin expose-fd listeners",
        "http-request disable-l7-retry unless { method GET HEAD OPTIONS TRACE PUT DELETE }",
        "http-request return status 404", "bind 127.0.0.1:8080", "nbthread 2",
    ):  # fmt: skip
        assert f"    {line}\n" in text, line


def test_an_unchanged_backend_is_not_written_anew_and_a_lost_one_forgotten() -> None:
    one = renderer()
    first = model_of(endpoint("a"))
    assert one.files(first) == one.files(first)
    assert "http.web" not in one.files(NOTHING).config
    assert one.files(model_of(endpoint("a", 99))).config.count(":99 ") == 1


def test_plain_text_is_refused_whatever_it_holds() -> None:
    plain = Endpoint(Key("n", "i"), HOST, Port(80), "1\nfrontend evil", State.READY)  # type: ignore[arg-type]
    name = BackendName(WEB)
    model = model_of()
    evil = Backend(name, WEB, (plain,), (plain,))
    with pytest.raises(RenderError, match="a str may not stand in a configuration"):
        renderer().files(type(model)({name: evil}))


ANY = st.text(max_size=30) | st.sampled_from(
    [
        "1\nfrontend evil\n bind :9",
        "a\r\nb",
        "x\u2028y",
        'a" b',
        "#",
        "\\",
        "%[env(PATH)]",
        "${HOME}",
        "\x00",
    ]
)


@given(
    service=ANY, id_=ANY, node=ANY, address=ANY, host=ANY, listen=ANY, tag=ANY,
    port=st.integers(-9, 99999), weight=st.integers(-9, 999),
)  # fmt: skip
def test_no_value_adds_a_section_or_a_line(
    service: str, id_: str, node: str, address: str, host: str, listen: str, tag: str,
    port: int, weight: int,
) -> None:  # fmt: skip
    def rendered(**fields: object) -> Files:
        values: dict[str, object] = {
            "id": InstanceId("x"), "node": "n", "service": "web", "address": "192.0.2.1",
            "port": 80, **fields,
        }  # fmt: skip
        instance = Instance(**values)  # type: ignore[arg-type]
        return renderer().files(
            grown(NOTHING, routes_of(apply(EMPTY, [Put(instance)]), ("consul",)))
        )

    harmless = sections(rendered())
    meta = {HTTP_HOST: host, TCP_LISTEN: listen if not listen.strip().isdigit() else "x", tag: tag}
    hostile = rendered(
        id=InstanceId(id_),
        node=node,
        address=address,
        tags=(tag,),
        meta=meta,
        port=port,
        weight=weight,
    )
    assert sections(hostile) == harmless
    named = [words if words[1:] != (BackendName(Upstream(Protocol.HTTP, service)),) else
             ("backend", "http.web") for words in sections(rendered(service=service))]  # fmt: skip
    assert named in (harmless, sections(renderer().files(NOTHING)))
    for text in (hostile.config, hostile.hosts, hostile.wildcards, hostile.paths, hostile.sites):
        assert text.isascii()
        assert all(char == "\n" or char.isprintable() for char in text)


def shaped(**meta: str) -> str:
    """Return the text of the backends of a service that asks for this."""
    instance = Instance(
        id=InstanceId("x"), node="n", service="web", address="192.0.2.1", port=80,
        meta={key: value for key, value in meta.items() if value},
    )  # fmt: skip
    model = grown(NOTHING, routes_of(apply(EMPTY, [Put(instance)]), ("consul",)))
    return renderer().files(model).config.rpartition("status 404\n")[2]


@pytest.mark.parametrize(
    ("meta", "lines"),
    [
        ({HTTP_PROTO: "https"}, ["default-server ssl verify none"]),
        ({HTTP_PROTO: "grpc"}, ["default-server proto h2"]),
        ({HTTP_PROTO: "grpcs"}, ["default-server ssl verify none alpn h2"]),
        ({HTTP_BALANCE: "leastconn"}, ["balance leastconn"]),
        ({HTTP_BALANCE: "source"}, ["balance source", "hash-type consistent"]),
        (
            {HTTP_ACCESS: "192.0.2.1, 2001:db8::/33"},
            ["http-request deny deny_status 403 unless { src 192.0.2.1/32 2001:db8::/33 }"],
        ),
        (
            {HTTP_HOST: "a.example.org/api/=/v1"},
            ["http-request set-path /v1/%[path,bytes(4),ltrim(/)]"],
        ),
    ],
)
def test_a_shape_is_lines_of_its_backend(meta: dict[str, str], lines: list[str]) -> None:
    text = shaped(**meta)
    for line in lines:
        assert f"    {line}\n" in text
        assert f"    {line}\n" not in shaped()


def test_paths_stand_in_a_map_with_what_they_belong_to() -> None:
    meta = {HTTP_HOST: "a.example.org/api,*.example.net/x"}
    instance = Instance(
        id=InstanceId("x"), node="n", service="web", address="192.0.2.1", port=80, meta=meta
    )
    files = renderer().files(grown(NOTHING, routes_of(apply(EMPTY, [Put(instance)]), ("consul",))))
    assert files.paths == "a.example.org/api/ http.web\n.example.net/x/ http.web\n"
    assert "a.example.org no_route\n" in files.hosts
    assert files.wildcards == ".example.net no_route\n"
    assert files.sites == ".example.net .example.net\n"


KEYS = (HTTP_HOST, HTTP_PROTO, HTTP_ACCESS, HTTP_BALANCE, HTTPS_METHOD, CERT_NAME)
PATHS = st.builds("{}/{}={}".format, st.just("h.example.org"), ANY, ANY)


@given(st.fixed_dictionaries(dict.fromkeys(KEYS, ANY) | {HTTP_HOST: ANY | PATHS}))
def test_no_meta_adds_a_line_but_those_of_its_shape(meta: dict[str, str]) -> None:
    known = {
        "", "mode", "retry-on", "server", "backend", "http-request", "balance", "hash-type",
        "default-server",
    }  # fmt: skip
    text = shaped(**meta)
    lines = [line for line in text.split("\n") if line.strip()]
    assert {line.split()[0] for line in lines} <= known
    sections = [line for line in lines if not line.startswith(" ")]
    assert all(line.startswith("backend http.web") for line in sections)
    assert len(sections) <= 2  # its own, and one with a path rewritten
    assert all(char == "\n" or (char.isascii() and char.isprintable()) for char in text)


def lines_of(**meta: str) -> list[str]:
    return [line.strip() for line in shaped(**meta).split("\n")]


@pytest.mark.parametrize(
    ("meta", "lines"),
    [
        (
            {STICKY: "cookie:SEAT"},
            ["cookie SEAT insert indirect nocache httponly dynamic", "dynamic-cookie-key SEAT"],
        ),
        (
            {TIMEOUT_CONNECT: "1s", TIMEOUT_ANSWER: "2s", TIMEOUT_TUNNEL: "3s"},
            ["timeout connect 1000ms", "timeout server 2000ms", "timeout tunnel 3000ms"],
        ),
        ({RETRIES: "2"}, ["retries 2", "retry-on conn-failure empty-response response-timeout"]),
        ({CHECK: "tcp"}, ["default-server check inter 2000ms fall 3 rise 2"]),
        (
            {CHECK: "/", HTTP_PROTO: "https"},
            [
                "option httpchk",
                "http-check send meth GET uri / ver HTTP/1.1 hdr Host localhost",
                "http-check expect status 200-399",
                "default-server ssl verify none check inter 2000ms fall 3 rise 2",
            ],
        ),
        (
            {CHECK: "/up"},
            ["http-check send meth GET uri /up ver HTTP/1.1 hdr Host localhost"],
        ),
    ],
)
def test_more_of_a_shape_is_lines_of_its_backend(meta: dict[str, str], lines: list[str]) -> None:
    assert set(lines) <= set(lines_of(**meta))


def test_what_began_before_a_reload_may_take_as_long_as_the_slowest_service_may() -> None:
    def text(**meta: str) -> str:
        one = Instance(
            id=InstanceId("x"), node="n", service="web", address="192.0.2.1", port=80, meta=meta
        )
        routes = routes_of(apply(EMPTY, [Put(one)]), ())
        return renderer().files(grown(NOTHING, routes)).config

    assert "    hard-stop-after 300s\n" in text(**{TIMEOUT_ANSWER: "10s"})
    assert "    hard-stop-after 3601s\n" in text(**{TIMEOUT_ANSWER: "1h0.5s"})


def test_without_retries_nothing_is_repeated() -> None:
    assert "retries 0" in lines_of(**{RETRIES: "0"})
    assert not [line for line in lines_of(**{RETRIES: "0"}) if line.startswith("retry-on")]


def test_a_tcp_listener_waits_as_long_as_it_is_asked_to() -> None:
    lines = lines_of(**{TCP_LISTEN: "5432", TIMEOUT_TUNNEL: "5s", TIMEOUT_ANSWER: "1s"})
    tcp = lines[lines.index("mode tcp", lines.index("option clitcpka")) :]
    assert "timeout server 5000ms" in tcp
    assert "timeout server 1000ms" not in tcp
    assert "timeout tunnel 5000ms" not in tcp


def test_backups_stand_last_with_a_word() -> None:
    instances = [
        Instance(
            id=InstanceId(id_), node="n", service="web", address="192.0.2.1", port=port,
            meta={BACKUP: "true"} if port == 81 else {},
        )
        for id_, port in (("a", 80), ("b", 81))
    ]  # fmt: skip
    routes = routes_of(apply(EMPTY, [Put(one) for one in instances]), ())
    text = renderer().files(grown(NOTHING, routes)).config
    assert "    option allbackups\n" in text
    assert text.endswith(
        "    server s4 127.0.0.1:1 disabled\n"
        "    server s5 192.0.2.1:81 weight 1 backup\n"
        "    server s6 127.0.0.1:1 disabled backup\n"
    )


def tls_files(*names: str, port: int = 8443, http2: bool = True, hosts: str = "") -> Files:
    meta = {HTTP_HOST: hosts}
    instance = Instance(
        id=InstanceId("x"), node="n", service="web", address="192.0.2.1", port=80, meta=meta
    )
    routes = routes_of(apply(EMPTY, [Put(instance)]), ())
    known = {CertName(name): Certificate(CertName(name), "1", f"key {name}") for name in names}
    listen = SocketAddress(HOST, Port(8443))
    return renderer().files(grown(NOTHING, secured(routes, listen, port, known, http2=http2)))


def test_tls_is_an_address_more_with_the_certificates_in_a_list() -> None:
    files = tls_files("a.org", "default", hosts="a.org,x.y.a.org,*.b.org")
    assert (
        "    bind 127.0.0.1:8443 ssl crt-list certificates.list alpn h2,http/1.1"
        " ssl-min-ver TLSv1.2 no-tls-tickets\n"
    ) in files.config
    assert files.listing == (
        "certificate_default.pem\ncertificate_a.org.pem a.org *.a.org x.y.a.org\n"
    )
    assert files.certificates == {
        "certificate_default.pem": "key default", "certificate_a.org.pem": "key a.org",
    }  # fmt: skip
    assert files.policies == (
        "a.org redirect/max-age=31536000\nx.y.a.org redirect/max-age=31536000\n"
    )
    assert "key a.org" not in repr(files)
    assert "redirect location https://%[var(txn.host)]:8443%[pathq] code 301" in files.config


def test_who_has_no_certificate_is_refused_when_there_is_no_default() -> None:
    files = tls_files("a.org", port=443, http2=False)
    assert " alpn http/1.1 ssl-min-ver TLSv1.2 no-tls-tickets strict-sni\n" in files.config
    assert "https://%[var(txn.host)]%[pathq]" in files.config


def test_without_tls_there_is_nothing_of_it() -> None:
    files = renderer().files(NOTHING)
    assert (files.listing, files.policies, files.certificates) == ("", "", {})
    assert " ssl " not in files.config
    assert "policies.map" not in files.config


def test_the_default_certificate_may_be_all_there_is() -> None:
    assert tls_files("default").listing == "certificate_default.pem\n"


def test_endpoints_hear_who_asked() -> None:
    text = renderer().files(NOTHING).config
    for line in (
        "option forwardfor", "http-request del-header Proxy",
        "http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]",
        "http-request set-header X-Forwarded-Host %[req.hdr(host)]",
        "http-request set-header X-Forwarded-Port %[dst_port]",
    ):  # fmt: skip
        assert f"    {line}\n" in text.partition("\nfrontend http\n")[2]


def test_what_only_http_knows_is_not_told_to_tcp_listeners() -> None:
    """HAProxy would warn of it at every reload."""
    assert "forwardfor" not in renderer().files(NOTHING).config.partition("\nfrontend http\n")[0]
