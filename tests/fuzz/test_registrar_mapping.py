"""Whatever a container says: no exception, and nothing unsafe in the catalogue."""

import contextlib
import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from registrar import preview
from registrar.mapping import Mapped, instances_of
from registrar.names import is_host_pattern, is_instance_id, is_service_name
from registrar.ports import Place
from sidecar.catalog.model import HTTP_HOST, TCP_LISTEN
from sidecar.catalog.ownership import RESERVED
from sidecar.checks.policy import CheckPolicy
from sidecar.engine.facts import container_of, event_of
from sidecar.errors import ProtocolError
from tests.support.docker import container

TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=40) | st.sampled_from(
    [
        "",
        "../../etc",
        "a\nb",
        'a"b',
        "x" * 600,
        "\ud800",
        "\ufffd",
        "70000",
        "80",
        "a,b\\,c",
        "#{x}",
    ]
)
KEYS = st.sampled_from(
    [
        "NAME",
        "TAGS",
        "ID",
        "IGNORE",
        "80_NAME",
        "80_ID",
        "53_TAGS",
        "NETWORK",
        "CHECK_DOCKER",
        "A.B",
        "NAMES",
        "IP",
        "PORT",
        "80_PORT",
        "53_UDP_NAME",
        "INTERNAL",
        *(f"CHECK_{key}" for key in ("HTTP", "TCP", "TTL", "SCRIPT", "ARGS", "HEADER", "2_TTL")),
        *(f"CHECK_{key}" for key in ("INTERVAL", "INITIAL_STATUS", "FAILURES_BEFORE_CRITICAL")),
    ]
)
LABELS = st.dictionaries(
    KEYS.map("SERVICE_{}".format)
    | TEXT.map("SERVICE_{}".format)
    | TEXT
    | st.sampled_from(["pinnace.http.host", "pinnace.http.port", "pinnace.tcp.listen"]),
    TEXT,
    max_size=12,
)
PORT = st.sampled_from(["80/tcp", "53/udp", "53/tcp", "70000/tcp", "0/tcp", "x", "80"])
BINDING = st.fixed_dictionaries(
    {"HostIp": TEXT | st.just("0.0.0.0"), "HostPort": st.sampled_from(["8080", "70000", "", "x"])}
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
MODES = st.sampled_from(["default", "host", "none", "front", "container:peer", "container:../x"])
DOCUMENT = st.fixed_dictionaries(
    {
        "Id": st.just("box-id"),
        "Name": TEXT,
        "State": st.fixed_dictionaries(
            {"Running": st.just(True)},
            optional={"Health": st.fixed_dictionaries({"Status": TEXT}), "StartedAt": TEXT},
        ),
        "Config": st.fixed_dictionaries(
            {
                "Image": TEXT,
                "Env": st.lists(TEXT | st.builds("VIRTUAL_HOST={}".format, TEXT), max_size=4),
                "Labels": LABELS,
                "ExposedPorts": st.dictionaries(PORT, st.just({}), max_size=4),
            }
        ),
        "HostConfig": st.fixed_dictionaries({"NetworkMode": MODES | TEXT}),
        "NetworkSettings": st.fixed_dictionaries(
            {
                "Ports": st.dictionaries(PORT, st.none() | st.lists(BINDING, max_size=2)),
                "Networks": st.dictionaries(
                    TEXT, st.fixed_dictionaries({"IPAddress": TEXT | st.just("10.0.0.2")})
                ),
            }
        ),
    }
)


PLACE = st.builds(
    Place,
    node=st.just("vm"),
    address=st.just("192.0.2.7"),
    owner=st.just("o"),
    second=st.sampled_from(["", "2001:db8::7"]),
    internal=st.sampled_from(["auto", "always", "never"]),
    networks=st.sampled_from([(), ("front", "10.0.0.0/8", "inet6")]),
    explicit=st.booleans(),
    ip_label=st.sampled_from(["", "SERVICE_A"]),
    overrides=st.sampled_from([None, CheckPolicy()]),
    tags=st.sampled_from(["", "a,b"]),
    merge_tags=st.booleans(),
    name_suffix=st.sampled_from(["auto", "always", "never"]),
    prefix=st.sampled_from(["", "p."]),
    compat=st.booleans(),
    is_ours=st.booleans(),
)


def _check(found: Mapped) -> None:
    assert len({(i.service, i.id) for i in found.instances}) == len(found.instances)
    for instance in found.instances:
        assert is_service_name(instance.service)
        assert instance.service.lower() not in RESERVED
        assert is_instance_id(instance.id)
        assert 0 <= instance.port < 65536
        assert len(instance.tags) <= 128
        assert len(instance.meta) <= 64
        texts = [instance.address, *instance.tags, *instance.meta, *instance.meta.values()]
        assert all(text.isprintable() for text in texts)
        assert all(len(text.encode()) <= 255 for text in instance.tags)
        assert all(len(text.encode()) <= 512 for text in instance.meta.values())
        for host in filter(None, instance.meta.get(HTTP_HOST, "").split(",")):
            assert is_host_pattern(host)
        assert 0 < int(instance.meta.get(TCP_LISTEN, "1")) < 65536
    assert len(found.problems) <= 17
    assert all(len(problem.text) < 700 for problem in found.problems)


@given(DOCUMENT, PLACE, st.none() | DOCUMENT)
@settings(max_examples=300)
def test_no_container_can_put_anything_unsafe_into_the_catalogue(
    document: dict[str, Any], place: Place, peer: dict[str, Any] | None
) -> None:
    other = container_of(peer) if peer is not None else None
    found = instances_of(container_of(document), place, other)
    if place.is_ours:
        _check(found)
    for check in (check for instance in found.instances for check in instance.checks):
        if check.definition:
            json.dumps(json.loads(check.definition), ensure_ascii=False).encode()
            assert not (place.is_ours and "ScriptArgs" in check.definition)
    assert instances_of(container_of(document), place, other) == found
    for as_text in (preview.as_text, preview.as_json):
        as_text({"embedded:": found.instances}, found.problems)


PLAIN = st.text(alphabet="abcXYZ019-_.", min_size=1, max_size=12).filter(is_service_name)


@given(
    ports=st.dictionaries(
        st.sampled_from(["80/tcp", "81/tcp", "53/udp"]),
        st.sampled_from(["0.0.0.0:8080", "127.0.0.1:1", ":9"]),
    ),
    env=st.lists(
        st.builds(
            "SERVICE_{}={}".format,
            st.sampled_from(["NAME", "80_NAME", "TAGS", "80_TAGS", "A", "80_ID", "80_IGNORE"]),
            PLAIN,
        ),
        max_size=6,
    ),
    image=PLAIN.map(str.lower),
    place=PLACE.filter(lambda place: not place.overrides),
)
@settings(max_examples=200)
def test_a_plain_container_is_the_same_in_compat(
    ports: dict[str, str], env: list[str], image: str, place: Place
) -> None:
    box = container(published=ports, env=tuple(env), image=image)
    place = replace(place, is_ours=False, merge_tags=False)
    if place.internal == "auto":
        place = replace(place, internal="never")
    default, compat = (
        [(i.id, i.service, i.tags, i.port) for i in instances_of(box, which).instances]
        for which in (replace(place, compat=False), replace(place, compat=True))
    )
    assert default == compat


@given(JSON)
@settings(max_examples=200)
def test_no_document_raises_anything_but_a_protocol_error(document: Any) -> None:
    for parse in (container_of, event_of):
        with contextlib.suppress(ProtocolError):
            parse(document)
    if isinstance(document, dict):
        container_of({**document, "Id": "x", "State": document, "Config": document})
