"""Classic Swarm's choice, by a second and naive reading of its formulas, on random clusters.

What is chosen must be among the best by its own order; its sort left equals in any order.
"""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sidecar.scheduler.expressions import Expression, parse_expression
from sidecar.scheduler.model import (
    NANO,
    ContainerView,
    NodeView,
    Placement,
    Policy,
    Port,
    Request,
    Resources,
    Soft,
    Strategy,
)
from sidecar.scheduler.placing import place
from tests.unit.sidecar.scheduler.clusters import CLUSTERS, REQUESTS

_CLASSIC = Policy(is_classic=True)
_ANY = {"", "0.0.0.0", "::"}


def _holds(rule: Expression, candidates: Sequence[str]) -> bool:
    return any(map(rule.matches, candidates)) != rule.is_negated


def _passes(node: NodeView, request: Request, rules: Sequence[Soft]) -> bool:
    if node.health <= 0 or node.state != "up" or node.availability != "active":
        return False
    held = [port for each in node.containers for port in each.ports if port.number]
    for port in request.ports:
        for other in held:
            is_apart = port.address != other.address and not {port.address, other.address} & _ANY
            if port.number and port.number == other.number and not is_apart:
                return False
    limit = node.labels.get("containerslots", "")
    if limit.isdigit() and len(node.containers) >= int(limit):
        return False
    names = [text for each in node.containers for text in (each.id, each.name)]
    images = [each.image for each in node.containers]
    images += [text.rpartition(":")[0] for text in images]
    for rule in rules:
        expression = rule.expression
        assert isinstance(expression, Expression)
        if rule.is_affinity and expression.key == "container":
            found = names
        elif rule.is_affinity and expression.key == "image":
            found = images
        elif rule.is_affinity:
            found = [each.labels.get(expression.key, "") for each in node.containers]
        elif expression.key == "node":
            found = [node.id, node.name]
        else:
            found = [node.labels.get(expression.key, "")]
        if not _holds(expression, found):
            return False
    return True


def _weight(node: NodeView, request: Request) -> tuple[int, int] | None:
    used = Resources(
        sum(each.resources.cpu for each in node.containers),
        sum(each.resources.memory for each in node.containers),
    )
    scores = []
    for wanted, has, taken in (
        (request.resources.cpu, node.capacity.cpu, used.cpu),
        (request.resources.memory, node.capacity.memory, used.memory),
    ):
        if has < wanted or (wanted and not has):
            return None
        scores.append((taken + wanted) * 100 // has if wanted else 100)
    if max(scores) > 100:
        return None
    sign = 1 if request.strategy is Strategy.BINPACK else -1
    weight = sum(scores) + sign * 10 * node.health
    order = -sign
    return order * weight, order * len(node.containers)


def _best(nodes: Sequence[NodeView], request: Request) -> set[str]:
    hard = [Soft(rule) for rule in request.constraints if isinstance(rule, Expression)]
    hard += [Soft(rule, 1, is_affinity=True) for rule in request.affinities]
    for rules in ([*hard, *request.soft], hard):
        passed = [node for node in nodes if _passes(node, request, rules)]
        ranked = [(key, node.name) for node in passed if (key := _weight(node, request))]
        if ranked:
            least = min(key for key, _ in ranked)
            return {name for key, name in ranked if key == least}
    return set()


def _plain(request: Request) -> Request:
    """Return a request with what classic knows only."""
    rules = tuple(each for each in request.constraints if isinstance(each, Expression))
    strategy = request.strategy if request.strategy is Strategy.BINPACK else Strategy.SPREAD
    return replace(
        request, constraints=rules, strategy=strategy, max_per_node=0, spread_over=(),
        host_network=False, exposed=(),
    )  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
@given(CLUSTERS, REQUESTS, st.booleans())
def test_the_choice_is_the_best_by_the_formulas(
    nodes: list[NodeView], requests: list[Request], is_bare: bool
) -> None:
    assume(requests)
    request = _plain(requests[0])
    if is_bare:
        request = replace(request, constraints=(), affinities=(), ports=())
    calm = [
        replace(
            node,
            strain=0,
            containers=tuple(replace(each, host_network=False) for each in node.containers),
        )
        for node in nodes
    ]
    (found,) = place(calm, [request], _CLASSIC)
    best = _best(calm, request)
    if isinstance(found, Placement):
        assert found.node in best
    else:
        assert not best


def _node(name: str, cpus: int = 2, memory: int = 2 << 30, **more: object) -> NodeView:
    return NodeView(name=name, capacity=Resources(cpus * NANO, memory), **more)  # type: ignore[arg-type]


def _place(nodes: list[NodeView], **request: object) -> str:
    (found,) = place(nodes, [Request(service="a", **request)], _CLASSIC)  # type: ignore[arg-type]
    return found.node if isinstance(found, Placement) else ""


def test_what_was_measured_of_it() -> None:
    """Classic Swarm 1.2.9 itself gave these answers."""
    dns = ContainerView(name="dns", ports=(Port(53, "tcp"),))
    assert _place([_node("n", containers=(dns,))], ports=(Port(53, "udp"),)) == ""
    rule = parse_expression("node!=/(/", classic=True)
    assert _place([_node("n")], constraints=(rule,)) == "n"
    rule = parse_expression("node==/(/", classic=True)
    assert _place([_node("n")], constraints=(rule,)) == ""
    ssd, red = (Soft(parse_expression(each)) for each in ("disk==~ssd", "colour==~red"))
    nodes = [_node("n1", labels={"disk": "ssd"}), _node("n2")]
    requests = [Request(service="a", slot=str(n), soft=(ssd, red)) for n in range(4)]
    found = place(nodes, requests, _CLASSIC)
    assert (
        sorted(each.node for each in found if isinstance(each, Placement))
        == ["n1"] * 2 + ["n2"] * 2
    )
    shares = [Request(service="a", slot=str(n), resources=Resources(NANO)) for n in range(3)]
    answers = [isinstance(each, Placement) for each in place([_node("n")], shares, _CLASSIC)]
    assert answers == [True, True, False]


def test_random_looks_at_no_resources() -> None:
    """Its source: no strategy but spread and binpack weighs nodes."""
    full = [_node("n", cpus=1)]
    for strategy, where in ((Strategy.RANDOM, "n"), (Strategy.SPREAD, "")):
        assert _place(full, strategy=strategy, resources=Resources(2 * NANO)) == where
    (ours,) = place(
        full, [Request(service="a", strategy=Strategy.RANDOM, resources=Resources(2 * NANO))]
    )
    assert not isinstance(ours, Placement)


def test_the_number_of_slots_is_read_as_go_reads_numbers() -> None:
    for text, where in (
        ("-1", ""), ("+1", "n"), ("0", ""), (" 0", "n"), ("1.0", "n"), ("", "n"), ("9" * 5000, "n")
    ):  # fmt: skip
        assert _place([_node("n", labels={"containerslots": text})]) == where, text
