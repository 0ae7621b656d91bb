"""Consul 1.8.7 and dnsd on one catalogue: every name, every type; each difference is meant."""

import http.client
import json
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import pytest

from deploy.tools.consul import Consul
from dnsd.names import zone_of
from sidecar.catalog.changes import Change
from sidecar.catalog.model import Status
from tests.support.asker import Asker, instance, node
from tests.support.oracle import consul_program

NODES = {
    "n1": ("10.1.0.1", {"k": "v", "rfc1035-note": "bare"}),
    "n2.example": ("2001:db8::9", {}),
    "NODE-3": ("10.1.0.3", {}),
}


@dataclass(frozen=True, kw_only=True)
class Service:
    """One instance, on both sides."""

    name: str
    id: str
    address: str = ""
    port: int = 80
    tags: tuple[str, ...] = ()
    node: str = "n1"
    status: str = "passing"
    weight: int = 1
    virtual: str = ""


SERVICES = (
    Service(name="web", id="web1", address="10.0.0.1", tags=("blue", "v1.2"), weight=5),
    Service(name="web", id="web2", address="10.0.0.2", tags=("Blue",), status="warning"),
    Service(name="web", id="web3", address="10.0.0.3", tags=("red",), status="critical"),
    Service(name="web", id="web4", address="10.0.0.1", port=81, tags=("blue",), node="NODE-3"),
    Service(name="six", id="six1", address="2001:db8::1", tags=("udp",)),
    Service(name="onnode", id="onnode1"),
    Service(name="onnode", id="onnode2", node="n2.example"),
    Service(name="gone", id="gone1", address="10.0.0.9", status="critical"),
    Service(name="out", id="out1", address="www.example.org"),
    Service(name="astray", id="astray1", address="nope.service.consul"),
    Service(name="inside", id="inside1", address="web.service.consul"),
    Service(name="mapped", id="mapped1", address="::ffff:10.0.0.60"),
    Service(name="Mixed_Case", id="mixed", address="10.0.0.5"),
    Service(name="vip", id="vip1", address="10.0.0.6", virtual="10.96.0.1"),
)

NAME_TEXT = """
web.service WEB.Service web.service.dc1 web.service.dc2 web.service.dc1.dc web.service.dc1.x
blue.web.service Blue.web.service red.web.service v1.2.web.service 2.web.service green.web.service
_web._tcp.service _web._blue.service _web._red.service _web._udp.service _six._udp.service
_web._tcp _web._blue.dc1 _web._nope _tcp.service _tcp
six.service onnode.service gone.service out.service mixed_case.service vip.service nope.service
a.b.c.nope.service astray.service inside.service mapped.service
n1.node n2.example.node NODE-3.node node-3.node.dc1 nope.node example.node oracle.node
0a000001.addr 0A000001.addr.dc1 20010db8000000000000000000000001.addr zz.addr 0a0000.addr
x.0a000001.addr
service node addr dc1 dc service.dc1 query connect ingress virtual
vip.virtual web.connect web.ingress q.query _q._tcp.query
ns x x.y consul.service
"""
NAMES = NAME_TEXT.split()
REVERSE = (
    *("1.0.1.10.in-addr.arpa", "1.0.0.10.in-addr.arpa", "2.0.0.10.in-addr.arpa"),
    *("9.0.0.10.in-addr.arpa", "77.7.7.10.in-addr.arpa", "0.0.10.in-addr.arpa"),
    "1" + ".0" * 23 + ".8.b.d.0.1.0.0.2.ip6.arpa",
    "9" + ".0" * 23 + ".8.b.d.0.1.0.0.2.ip6.arpa",
)
TYPES = ("A", "AAAA", "SRV", "TXT", "ANY", "SOA", "NS", "CNAME", "PTR", "MX", "HTTPS", "DS")


@dataclass(frozen=True)
class Seen:
    """What a reply says, in any order."""

    rcode: str
    answers: frozenset[str]
    additional: frozenset[str]
    has_soa: bool
    has_aa: bool

    @property
    def kinds(self) -> set[str]:
        return {answer.split()[1] for answer in self.answers}


@dataclass(frozen=True)
class Case:
    """A question and what both said."""

    name: str
    kind: str
    theirs: Seen
    ours: Seen

    def is_(self, theirs: str, ours: str) -> bool:
        return self.theirs.rcode == theirs and self.ours.rcode == ours

    @property
    def is_nodata_here(self) -> bool:
        return self.ours.rcode == "NOERROR" and not self.ours.answers and self.ours.has_soa


def inner(case: Case) -> str:
    """Return the name without the zone."""
    name = case.name.lower().rstrip(".")
    return name.removesuffix("consul").removesuffix("pinnace").rstrip(".")


ADDRESSES = {"A", "AAAA", "CNAME"}
MEANT: dict[str, Callable[[Case], bool]] = {
    "a name above others is NODATA": lambda c: (
        c.is_("NXDOMAIN", "NOERROR")
        and c.is_nodata_here
        and inner(c)
        in {
            *("", "service", "node", "addr", "dc1", "dc", "service.dc1", "example.node"),
            *("2.web.service", "_tcp", "_tcp.service", "virtual"),
        }
    ),
    "the name without the word service has SRV records only, but it exists": lambda c: (
        c.is_("NXDOMAIN", "NOERROR")
        and c.is_nodata_here
        and inner(c) in {"_web._tcp", "_web._blue.dc1"}
        and c.kind != "SRV"
    ),
    "udp is no filter where no instance carries it": lambda c: (
        inner(c) == "_web._udp.service" and c.is_("NXDOMAIN", "NOERROR")
    ),
    "the long form of the datacenter": lambda c: (
        inner(c) == "web.service.dc1.dc" and c.is_("NXDOMAIN", "NOERROR")
    ),
    "the server's own name resolves": lambda c: inner(c) == "ns" and c.is_("NXDOMAIN", "NOERROR"),
    "a virtual address": lambda c: inner(c) == "vip.virtual" and c.is_("NXDOMAIN", "NOERROR"),
    "no record of another type": lambda c: (
        c.is_nodata_here
        and c.theirs.rcode == "NOERROR"
        and bool(c.theirs.answers)
        and c.kind not in {*c.theirs.kinds, "ANY"}
    ),
    "SOA and NS stand at the top only": lambda c: (
        c.kind in {"SOA", "NS"}
        and inner(c) != ""
        and c.theirs.kinds == {c.kind}
        and (c.is_nodata_here or c.ours.rcode == "NXDOMAIN")
        and c.ours.has_soa
    ),
    "an alias of what does not exist says so": lambda c: (
        inner(c) == "astray.service"
        and c.is_("NOERROR", "NXDOMAIN")
        and c.theirs.answers == c.ours.answers
        and c.ours.has_soa
    ),
    "an alias has records of the type asked for": lambda c: (
        inner(c) == "inside.service"
        and c.is_("NOERROR", "NOERROR")
        and c.ours.kinds == {"CNAME"} < c.theirs.kinds
        and c.ours.has_soa is (c.kind != "CNAME")
    ),
    "NODATA has the SOA": lambda c: (
        c.is_nodata_here
        and c.theirs.rcode == "NOERROR"
        and not c.theirs.answers
        and not c.theirs.has_soa
    ),
    "whether a node exists does not depend on the type asked for": lambda c: (
        inner(c) == "nope.node" and c.is_("NOERROR", "NXDOMAIN") and not c.theirs.answers
    ),
    "what is no address in hex does not exist": lambda c: (
        c.is_("NOERROR", "NXDOMAIN")
        and not c.theirs.answers
        and inner(c) in {"zz.addr", "0a0000.addr", "x.0a000001.addr"}
    ),
    "ANY gets one set, or HINFO": lambda c: (
        c.kind == "ANY"
        and (c.ours.kinds in ({"A"}, {"HINFO"}, {"CNAME"}))
        and c.ours.rcode == "NOERROR"
    ),
    "an address without a name is absent, not a failure": lambda c: (
        c.name.endswith("arpa.") and c.theirs.rcode == "SERVFAIL" and c.ours.rcode == "NXDOMAIN"
    ),
    "part of a reverse name exists": lambda c: (
        c.name.endswith("arpa.") and c.theirs.rcode == "SERVFAIL" and c.is_nodata_here
    ),
    "targets stay in the domain of the question": lambda c: (
        c.name.lower().endswith("pinnace.")
        and {a.replace(".pinnace.", ".consul.") for a in c.ours.answers}
        == {a.replace(".pinnace.", ".consul.") for a in c.theirs.answers}
    ),
    "the SOA names the domain of the question": lambda c: (
        c.name == "pinnace."
        and c.kind in {"SOA", "NS"}
        and {a.replace("pinnace.", "consul.") for a in c.ours.answers}
        == {a.replace("pinnace.", "consul.") for a in c.theirs.answers}
    ),
}


# --- the two sides ---------------------------------------------------------------------------


def put(consul: Consul, body: dict[str, Any]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", consul.ports["http"], timeout=10)
    connection.request("PUT", "/v1/catalog/register", json.dumps(body))
    response = connection.getresponse()
    assert response.status == 200, response.read()
    connection.close()


def fill(consul: Consul) -> None:
    for service in SERVICES:
        address, meta = NODES[service.node]
        tagged = {"virtual": {"Address": service.virtual, "Port": 1}} if service.virtual else {}
        put(
            consul,
            {
                "Node": service.node,
                "Address": address,
                "NodeMeta": meta,
                "Service": {
                    "ID": service.id,
                    "Service": service.name,
                    "Address": service.address,
                    "Port": service.port,
                    "Tags": service.tags,
                    "Weights": {"Passing": service.weight, "Warning": 1},
                    "TaggedAddresses": tagged,
                },
                "Check": {
                    "CheckID": service.id,
                    "Name": service.id,
                    "Status": service.status,
                    "ServiceID": service.id,
                },
            },
        )


def changes(consul: Consul) -> Iterator[Change]:
    for name, (address, meta) in NODES.items():
        yield node(name, address, **meta)
    yield node("oracle", "127.0.0.1", **{"consul-network-segment": ""})
    yield instance("consul", 1, address="", node="oracle", port=consul.ports["server"])
    for number, service in enumerate(SERVICES):
        yield instance(
            service.name,
            number,
            address=service.address,
            port=service.port,
            tags=service.tags,
            node=service.node,
            status=Status(service.status),
            weight=service.weight,
            tagged={"virtual": (service.virtual, 1)} if service.virtual else {},
        )


@pytest.fixture(scope="module")
def consul() -> Iterator[Consul]:
    config = {"alt_domain": "pinnace"}
    with Consul(program=consul_program(), quiet=True, config=config) as server:
        fill(server)
        yield server


@pytest.fixture(scope="module")
def asker(consul: Consul) -> Asker:
    return Asker(
        *changes(consul), node=b"oracle", domain=zone_of("consul"), addresses=(b"\x7f\0\0\1",)
    )


def ask_all(port: int, packets: Sequence[bytes]) -> Iterator[bytes]:
    """Yield Consul's reply to each query, over TCP; it closes a connection after 128."""
    for start in range(0, len(packets), 100):
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as sock,
            sock.makefile("rb") as file,
        ):
            for packet in packets[start : start + 100]:
                sock.sendall(len(packet).to_bytes(2) + packet)
                yield file.read(int.from_bytes(file.read(2)))


def seen(octets: bytes) -> Seen:
    reply = dns.message.from_wire(octets)

    def texts(section: Any) -> frozenset[str]:
        return frozenset(
            f"{str(rrset.name).lower()} {dns.rdatatype.to_text(rrset.rdtype)} {rdata}"
            for rrset in section
            for rdata in rrset
        )

    answers = {text for text in texts(reply.answer) if " SOA " not in text}
    soas = {text.split()[0] + " SOA" for text in texts(reply.answer) if " SOA " in text}
    return Seen(
        dns.rcode.to_text(reply.rcode()),
        frozenset(answers | soas),
        texts(reply.additional),
        any(rrset.rdtype == dns.rdatatype.SOA for rrset in reply.authority),
        bool(reply.flags & dns.flags.AA),
    )


def questions() -> Iterator[tuple[str, str]]:
    zones = [f"{name}.consul." for name in NAMES] + ["consul.", "pinnace."]
    zones += [f"{name}.pinnace." for name in ("web.service", "onnode.service", "n1.node", "x")]
    for name in (*zones, *(f"{name}." for name in REVERSE)):
        for kind in TYPES:
            yield name, kind


@pytest.fixture(scope="module")
def cases(consul: Consul, asker: Asker) -> list[Case]:
    asked = list(questions())
    packets = [dns.message.make_query(name, kind).to_wire() for name, kind in asked]
    found = []
    theirs = ask_all(consul.ports["dns"], packets)
    for (name, kind), packet, their in zip(asked, packets, theirs, strict=True):
        ours = asker.send(packet, tcp=True)
        assert ours is not None
        found.append(Case(name, kind, seen(their), seen(ours)))
    return found


def differs(case: Case) -> bool:
    theirs, ours = case.theirs, case.ours
    if theirs.rcode != "SERVFAIL" and theirs.has_aa != ours.has_aa:
        return True
    lacks_soa = theirs.has_soa and not ours.has_soa
    more = not theirs.has_soa and ours.has_soa
    return (theirs.rcode, theirs.answers) != (ours.rcode, ours.answers) or lacks_soa or more


def test_every_difference_is_one_that_is_meant(cases: list[Case]) -> None:
    stray = [c for c in cases if differs(c) and not any(rule(c) for rule in MEANT.values())]
    for c in stray:
        print(f"{c.name} {c.kind}\n  consul  {c.theirs}\n  pinnace {c.ours}")
    assert stray == []
    assert len(cases) > 700


@pytest.mark.parametrize("rule", MEANT)
def test_each_meant_difference_is_still_there(cases: list[Case], rule: str) -> None:
    assert any(differs(case) and MEANT[rule](case) for case in cases)


def test_additional_records_are_theirs_where_the_answers_are(cases: list[Case]) -> None:
    same = [c for c in cases if not differs(c) and c.kind == "SRV" and c.theirs.answers]
    assert len(same) > 8
    for case in same:
        assert case.theirs.additional == case.ours.additional, case.name


def over_udp(consul: Consul, packet: bytes) -> dns.message.Message:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.connect(("127.0.0.1", consul.ports["dns"]))
        sock.send(packet)
        return dns.message.from_wire(sock.recv(65535))


def test_part_of_an_answer_is_never_silent_here(consul: Consul) -> None:
    ours = Asker(*(instance("many", number) for number in range(1, 61)))
    for number in range(1, 61):
        address = f"10.0.0.{number}"
        service = {"ID": f"m{number}", "Service": "many", "Address": address, "Port": 80}
        put(consul, {"Node": "n1", "Address": "10.1.0.1", "Service": service})
    packet = dns.message.make_query("many.service.consul", "A").to_wire()
    theirs = over_udp(consul, packet)
    assert len(theirs.answer[0]) == 3
    assert not theirs.flags & dns.flags.TC
    octets = ours.send(packet)
    assert octets is not None
    reply = dns.message.from_wire(octets)
    assert len(reply.answer[0]) == (512 - 12 - 25) // 16
    assert reply.flags & dns.flags.TC


@pytest.mark.parametrize(
    ("edns", "rdclass", "theirs", "ours"),
    [(1, "IN", "NOERROR", "BADVERS"), (-1, "CH", "NOERROR", "REFUSED")],
)
def test_what_is_not_the_question_is_not_answered_here(
    consul: Consul, asker: Asker, edns: int, rdclass: str, theirs: str, ours: str
) -> None:
    query = dns.message.make_query("web.service.consul", "A", rdclass, use_edns=edns)
    packet = query.to_wire()
    assert dns.rcode.to_text(over_udp(consul, packet).rcode()) == theirs
    octets = asker.send(packet)
    assert octets is not None
    reply = dns.message.from_wire(octets)
    assert dns.rcode.to_text(reply.rcode()) == ours
    assert not reply.answer
