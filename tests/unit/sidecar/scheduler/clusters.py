"""Small clusters and requests, drawn at random, for properties of placement."""

from dataclasses import replace

from hypothesis import strategies as st

from sidecar.scheduler.constraints import parse_constraint
from sidecar.scheduler.expressions import parse_expression
from sidecar.scheduler.model import (
    NANO,
    Availability,
    ContainerView,
    NodeView,
    Policy,
    Port,
    Request,
    Resources,
    Soft,
    State,
    Strategy,
)

__all__ = ["CLUSTERS", "POLICIES", "REQUESTS"]

GIB = 2**30

PORTS = st.builds(
    Port,
    number=st.sampled_from([0, 53, 80, 8080]),
    protocol=st.sampled_from(["tcp", "udp"]),
    address=st.sampled_from(["", "", "0.0.0.0", "127.0.0.1", "192.0.2.1"]),
)
RESOURCES = st.builds(
    Resources,
    cpu=st.integers(0, 8).map(lambda half: half * NANO // 2),
    memory=st.integers(0, 6).map(lambda half: half * GIB // 2),
)
ZONES = st.sampled_from([{}, {"zone": "a"}, {"zone": "b"}, {"zone": "b", "storage": "ssd"}])
SERVICES = st.sampled_from(["web", "db", "job"])


@st.composite
def containers(draw: st.DrawFn, number: int) -> ContainerView:
    """One container of a node."""
    service = draw(st.sampled_from(["", "web", "db"]))
    return ContainerView(
        name=f"c{number}",
        id=f"id{number}",
        image=draw(st.sampled_from(["redis:7", "busybox", "r.example.org:5000/a/b:1"])),
        labels=draw(ZONES),
        ports=tuple(draw(st.lists(PORTS, max_size=2))),
        host_network=draw(st.booleans()),
        exposed=tuple(draw(st.lists(PORTS, max_size=1))),
        resources=draw(RESOURCES),
        running=draw(st.booleans()),
        service=service,
        slot=str(number),
    )


@st.composite
def nodes(draw: st.DrawFn, number: int) -> NodeView:
    """One node."""
    size = draw(st.integers(0, 3))
    view = NodeView(
        name=f"n{number}",
        id=f"node-{number}",
        address=f"192.0.2.{number + 1}",
        labels=draw(ZONES) | draw(st.sampled_from([{}, {"containerslots": "2"}])),
        capacity=Resources(draw(st.integers(0, 8)) * NANO, draw(st.integers(0, 8)) * GIB),
        health=draw(st.sampled_from([100, 100, 67, 0])),
        state=draw(st.sampled_from([State.UP, State.UP, State.UP, State.SUSPECT])),
        availability=draw(
            st.sampled_from([Availability.ACTIVE] * 3 + [Availability.PAUSE, Availability.DRAIN])
        ),
        strain=draw(st.sampled_from([0, 0, 6])),
    )
    held = tuple(draw(containers(number * 10 + each)) for each in range(size))
    return replace(view, containers=held)


@st.composite
def clusters(draw: st.DrawFn) -> list[NodeView]:
    """Up to six nodes."""
    return [draw(nodes(number)) for number in range(draw(st.integers(0, 6)))]


CLUSTERS = clusters()
POLICIES = st.builds(
    Policy,
    seed=st.integers(0, 3),
    is_classic=st.booleans(),
    frees_stopped_ports=st.booleans(),
    domain=st.sampled_from(["", "zone"]),
)
RULES = st.sampled_from(
    [
        "storage==ssd", "zone!=a", "node!=n1", "node==/n[0-3]/", "zone==~b*",
    ]
)  # fmt: skip
AFFINITIES = st.sampled_from(["container!=c0", "image==redis", "zone==b", "container!=web*"])


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """One request; a batch of it differs by slot."""
    wishes = [
        Soft(parse_expression(text), draw(st.integers(1, 3)), is_affinity)
        for is_affinity, rules in ((False, RULES), (True, AFFINITIES))
        for text in draw(st.lists(rules, max_size=1))
    ]
    hard = [parse_expression(text) for text in draw(st.lists(RULES, max_size=1))]
    swarm = draw(
        st.lists(st.sampled_from(["node.labels.zone == B", "node.id!=node-2"]), max_size=1)
    )
    return Request(
        service=draw(SERVICES),
        strategy=draw(st.sampled_from(Strategy)),
        resources=draw(RESOURCES),
        ports=tuple(draw(st.lists(PORTS, max_size=2))),
        host_network=draw(st.sampled_from([False, False, True])),
        exposed=tuple(draw(st.lists(PORTS, max_size=1))),
        constraints=(*hard, *map(parse_constraint, swarm)),
        affinities=tuple(map(parse_expression, draw(st.lists(AFFINITIES, max_size=1)))),
        soft=tuple(draw(st.sampled_from([[], [], wishes]))),
        max_per_node=draw(st.sampled_from([0, 0, 1, 2])),
        spread_over=draw(st.sampled_from([(), (), ("zone",), ("zone", "storage")])),
    )


REQUESTS = st.lists(st.tuples(requests(), st.integers(1, 5)), max_size=3).map(
    lambda groups: [
        replace(request, service=f"{request.service}{n}" if n else request.service, slot=str(slot))
        for n, (request, size) in enumerate(groups)
        for slot in range(1, size + 1)
    ]
)
