"""What holds for every strategy and every cluster."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.scheduler.board import Board
from sidecar.scheduler.constraints import parse_constraint
from sidecar.scheduler.expressions import parse_expression
from sidecar.scheduler.filters import refusal_of
from sidecar.scheduler.model import (
    NANO,
    ContainerView,
    NodeView,
    Placement,
    Policy,
    Port,
    Refusal,
    Request,
    Resources,
    Soft,
    Strategy,
)
from sidecar.scheduler.placing import Placer, place
from sidecar.scheduler.standing import Standing, container_of, is_overlapping
from tests.unit.sidecar.scheduler.clusters import CLUSTERS, POLICIES, REQUESTS

GIB = 2**30


def _node(number: int, cpus: int = 2, memory: int = 2 * GIB, **more: Any) -> NodeView:
    return NodeView(name=f"n{number}", capacity=Resources(cpus * NANO, memory), **more)


def _web(number: int, **more: Any) -> list[Request]:
    return [Request(service="web", slot=str(slot), **more) for slot in range(1, number + 1)]


def _nodes_of(decisions: Sequence[Placement | Refusal]) -> list[str]:
    return [each.node if isinstance(each, Placement) else "" for each in decisions]


def _replayed(
    nodes: list[NodeView], decisions: Sequence[Placement | Refusal], policy: Policy
) -> Iterator[tuple[Placement | Refusal, dict[str, Standing]]]:
    """Return each decision with what stood when it was taken."""
    standings = {
        node.name: Standing(node, frees_stopped_ports=policy.frees_stopped_ports) for node in nodes
    }
    for decision in decisions:
        yield decision, standings
        if isinstance(decision, Placement):
            standings[decision.node].add(container_of(decision.request))


@given(CLUSTERS, REQUESTS, POLICIES)
def test_a_node_is_taken_only_if_no_filter_refuses_it_and_refused_only_if_all_do(
    nodes: list[NodeView], requests: list[Request], policy: Policy
) -> None:
    decisions = place(nodes, requests, policy)
    assert [each.request for each in decisions] == requests
    for decision, standings in _replayed(nodes, decisions, policy):
        request = decision.request
        if isinstance(decision, Placement):
            assert refusal_of(request, standings[decision.node], policy) is None
        else:
            assert all(refusal_of(request, each, policy) for each in standings.values())


@given(CLUSTERS, REQUESTS, POLICIES)
def test_every_refusal_names_a_reason_for_each_node(
    nodes: list[NodeView], requests: list[Request], policy: Policy
) -> None:
    for decision in place(nodes, requests, policy):
        if isinstance(decision, Refusal):
            named = [name for _, names in decision.reasons for name in names]
            assert sorted(named) == sorted(node.name for node in nodes)


@given(CLUSTERS, REQUESTS)
def test_nothing_is_booked_twice(nodes: list[NodeView], requests: list[Request]) -> None:
    policy = Policy()
    board = Board(nodes, policy)
    placed = [each for each in Placer(board).place(requests) if isinstance(each, Placement)]
    for node in nodes:
        ours = [each.request for each in placed if each.node == node.name]
        standing = board.standings[node.name]
        if any(request.resources.cpu for request in ours):
            assert standing.cpu <= node.capacity.cpu
        if any(request.resources.memory for request in ours):
            assert standing.memory <= node.capacity.memory
        held = [(request, port) for request in ours for port in request.ports if port.number]
        for (one, a), (other, b) in combinations(held, 2):
            is_same = (a.number, a.protocol) == (b.number, b.protocol)
            assert one is other or not (is_same and is_overlapping(a.address, b.address))
        for request in ours:
            copies = standing.copies[request.key]
            assert not request.max_per_node or copies <= request.max_per_node


@given(CLUSTERS, REQUESTS, POLICIES, st.randoms(use_true_random=False))
def test_the_order_of_the_nodes_decides_nothing(
    nodes: list[NodeView], requests: list[Request], policy: Policy, random: Any
) -> None:
    shuffled = list(nodes)
    random.shuffle(shuffled)
    assert place(shuffled, requests, policy) == place(nodes, requests, policy)


@given(CLUSTERS, REQUESTS, POLICIES)
def test_what_a_placer_has_learned_changes_nothing(
    nodes: list[NodeView], requests: list[Request], policy: Policy
) -> None:
    """One placer for all, and a new one for each: the same decisions."""
    together = place(nodes, requests, policy)
    board = Board(nodes, policy)
    groups: dict[str, list[Request]] = {}
    for request in requests:
        groups.setdefault(request.service, []).append(request)
    singly = [each for group in groups.values() for each in Placer(board).place(group)]
    assert _nodes_of(singly) == _nodes_of(together)


@given(CLUSTERS, REQUESTS)
def test_giving_up_a_wish_never_makes_a_request_unplaceable(
    nodes: list[NodeView], requests: list[Request]
) -> None:
    for request in requests[:1]:
        (with_wishes,) = place(nodes, [request])
        (without,) = place(nodes, [replace(request, soft=())])
        assert isinstance(with_wishes, Placement) is isinstance(without, Placement)


@given(CLUSTERS, REQUESTS)
def test_another_empty_node_never_makes_a_request_unplaceable(
    nodes: list[NodeView], requests: list[Request]
) -> None:
    more = [*nodes, _node(9, 64, 64 * GIB, labels={"zone": "b", "storage": "ssd"})]
    for request in requests[:1]:
        (before,), (after,) = place(nodes, [request]), place(more, [request])
        assert isinstance(after, Placement) or isinstance(before, Refusal)


@given(st.integers(1, 6), st.integers(1, 20), st.sampled_from([Strategy.SPREAD, Strategy.BALANCED]))
def test_spreading_is_even(size: int, number: int, strategy: Strategy) -> None:
    nodes = [_node(each, 64, 64 * GIB) for each in range(size)]
    counts = Counter(_nodes_of(place(nodes, _web(number, strategy=strategy))))
    assert max(counts.values()) - min(counts.get(node.name, 0) for node in nodes) <= 1


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=6),
    st.integers(1, 20),
    st.sampled_from([Strategy.SPREAD, Strategy.BALANCED]),
)
def test_what_is_not_full_has_as_many_copies_as_the_others(
    room: list[int], number: int, strategy: Strategy
) -> None:
    nodes = [
        _node(each, 64, 64 * GIB, labels={"containerslots": str(size)})
        for each, size in enumerate(room)
    ]
    counts = Counter(_nodes_of(place(nodes, _web(number, strategy=strategy))))
    left = [
        counts[node.name]
        for node, size in zip(nodes, room, strict=True)
        if counts[node.name] < size
    ]
    assert not left or max(left) - min(left) <= 1
    assert not left or counts[""] == 0


@given(CLUSTERS, REQUESTS, POLICIES)
def test_the_same_again_is_decided_the_same(
    nodes: list[NodeView], requests: list[Request], policy: Policy
) -> None:
    assert place(nodes, requests, policy) == place(nodes, requests, policy)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=12))
def test_packing_needs_no_more_nodes_than_first_fit(sizes: list[int]) -> None:
    nodes = [_node(each, 4) for each in range(12)]
    requests = [
        Request(service=f"s{n}", strategy=Strategy.BINPACK, resources=Resources(size * NANO))
        for n, size in enumerate(sizes)
    ]
    bins: list[int] = []
    for size in sizes:
        at = next((n for n, used in enumerate(bins) if used + size <= 4), None)
        if at is None:
            bins.append(size)
        else:
            bins[at] += size
    used = {name for name in _nodes_of(place(nodes, requests)) if name}
    assert len(used) <= len(bins)


def test_classic_vectors() -> None:
    """Two nodes of 2 CPUs and 2 GiB, as worked out by hand from the formulas."""
    nodes = [_node(1), _node(2)]
    gigabyte = {"resources": Resources(0, GIB)}
    assert len({*_nodes_of(place(nodes, _web(2, **gigabyte)))}) == 2
    packed = place(nodes, _web(2, strategy=Strategy.BINPACK, **gigabyte))
    assert len({*_nodes_of(packed)}) == 1
    big = Request(service="big", resources=Resources(0, 2 * GIB), strategy=Strategy.BINPACK)
    board = Board(nodes)
    first = Placer(board).place([*_web(2, strategy=Strategy.BINPACK, **gigabyte), big])
    assert len({*_nodes_of(first)}) == 2


def test_without_requests_the_number_of_containers_decides() -> None:
    full = _node(1, containers=tuple(ContainerView(name=f"c{n}") for n in range(3)))
    nodes = [full, _node(2)]
    assert _nodes_of(place(nodes, _web(3))) == ["n2", "n2", "n2"]
    assert _nodes_of(place(nodes, _web(2, strategy=Strategy.BINPACK))) == ["n1", "n1"]


def test_a_wish_that_nobody_fulfils_costs_the_others_nothing() -> None:
    """Classic forgets all wishes then: of four containers two went to the preferred node."""
    nodes = [_node(1, labels={"disk": "ssd"}), _node(2)]
    wishes = tuple(Soft(parse_expression(text)) for text in ("disk==~ssd", "colour==~red"))
    assert _nodes_of(place(nodes, _web(4, soft=wishes))) == ["n1"] * 4
    classic = _nodes_of(place(nodes, _web(4, soft=wishes), Policy(is_classic=True)))
    assert Counter(classic) == {"n1": 2, "n2": 2}


def test_a_heavier_wish_wins() -> None:
    nodes = [_node(1, labels={"disk": "ssd"}), _node(2, labels={"zone": "a"})]
    wishes = Soft(parse_expression("disk==~ssd"), 1), Soft(parse_expression("zone==~a"), 3)
    assert _nodes_of(place(nodes, _web(2, soft=wishes))) == ["n2", "n2"]


def test_the_protocol_counts_except_in_classic() -> None:
    held = ContainerView(name="dns", ports=(Port(53, "tcp"),))
    nodes = [_node(1, containers=(held,))]
    wanted = _web(1, ports=(Port(53, "udp"),))
    assert _nodes_of(place(nodes, wanted)) == ["n1"]
    (refused,) = place(nodes, wanted, Policy(is_classic=True))
    assert isinstance(refused, Refusal)
    assert refused.reasons[0][0].detail == "held by dns"


def test_nodes_where_much_failed_come_last() -> None:
    nodes = [_node(1, strain=5), _node(2, containers=(ContainerView(name="c"),))]
    assert _nodes_of(place(nodes, _web(1))) == ["n2"]


def test_anti_affinity_spreads_and_the_wish_places_the_last_one_too() -> None:
    nodes = [_node(each) for each in range(3)]
    rule = parse_expression("container!=web*")
    hard = _nodes_of(place(nodes, _web(4, affinities=(rule,))))
    assert sorted(hard) == ["", "n0", "n1", "n2"]
    soft = _nodes_of(place(nodes, _web(4, soft=(Soft(rule, 1, is_affinity=True),))))
    assert len({*soft[:3]}) == 3
    assert soft[3]


def test_branches_are_filled_evenly_and_a_full_one_gives_its_share() -> None:
    nodes = [
        _node(1, 1, labels={"zone": "a"}),
        *(_node(each, 8, labels={"zone": "b"}) for each in (2, 3)),
    ]
    wanted = _web(6, spread_over=("zone",), resources=Resources(NANO // 2))
    counts = Counter(_nodes_of(place(nodes, wanted)))
    assert counts == {"n1": 2, "n2": 2, "n3": 2}


def test_balanced_keeps_copies_apart_by_domain_before_anything_else() -> None:
    busy = tuple(ContainerView(name=f"c{n}") for n in range(9))
    nodes = [
        _node(1, labels={"rack": "a"}), _node(2, labels={"rack": "a"}),
        _node(3, labels={"rack": "b"}, containers=busy),
    ]  # fmt: skip
    found = _nodes_of(place(nodes, _web(2, strategy=Strategy.BALANCED), Policy(domain="rack")))
    assert "n3" in found


def test_a_volume_that_is_on_one_node_draws_its_users_there() -> None:
    nodes = [_node(1), _node(2, containers=(ContainerView(name="db", volumes=("data",)),))]
    assert _nodes_of(place(nodes, _web(2, volumes=("data",)))) == ["n2", "n2"]
    full = replace(nodes[1], labels={"containerslots": "1"})
    (refused,) = place([nodes[0], full], _web(1, volumes=("data",)))
    assert isinstance(refused, Refusal)
    assert {reason.filter for reason, _ in refused.reasons} == {"volume", "containerslots"}


def test_random_takes_every_node_in_its_turn_and_the_seed_repeats_it() -> None:
    nodes = [_node(each, 64, 64 * GIB) for each in range(4)]
    wanted = _web(400, strategy=Strategy.RANDOM)
    one, again = (_nodes_of(place(nodes, wanted, Policy(seed=1))) for _ in range(2))
    assert one == again
    assert one != _nodes_of(place(nodes, wanted, Policy(seed=2)))
    assert all(60 < count < 140 for count in Counter(one).values())


def test_ties_do_not_all_go_to_the_same_node() -> None:
    nodes = [_node(each) for each in range(10)]
    first = {place(nodes, [Request(service=f"s{n}")])[0] for n in range(50)}
    assert len({*_nodes_of(list(first))}) > 5


@pytest.mark.parametrize(
    ("constraint", "fits"),
    [
        ("node.ip == 192.0.2.0/24", True), ("node.ip!=192.0.2.7", False),
        ("node.role==manager", True),
        ("node.hostname==HOST", True), ("node.labels.a==1", True), ("node.labels.A==1", False),
        ("engine.labels.b!=2", False), ("node.platform.arch==amd64", True), ("a=1", True),
        ("node.labels.none!=x", True), ("node.labels.none==x", False), ("a==/^1$/", True),
    ],
)  # fmt: skip
def test_constraints_of_a_stack(constraint: str, fits: bool) -> None:
    node = _node(
        1, engine_name="host", address="192.0.2.7", is_leader_capable=True,
        labels={"a": "1", "arch": "x86_64"}, engine_labels={"b": "2"},
    )  # fmt: skip
    (found,) = place([node], _web(1, constraints=(parse_constraint(constraint),)))
    assert isinstance(found, Placement) is fits
