"""Shelves and boards that are kept spare looks at nodes, and decide as if all were looked at."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from sidecar.scheduler.board import Board
from sidecar.scheduler.constraints import parse_constraint
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
    State,
    Strategy,
)
from sidecar.scheduler.placing import Decision, Kept, Placer, place
from sidecar.scheduler.ranking import Ranking

GIB = 2**30
ON_A = parse_constraint("node.labels.disk==a")


class _Thorough(Placer):
    """Ranks all nodes for each shape."""

    def _ranking(self, request: Request) -> Ranking:
        return Ranking(self.board, request)


def _node(name: str, drawn: Random) -> NodeView:
    own = {"node": name} if drawn.random() < 0.5 else {}
    odd = drawn.choice((0, drawn.randrange(10**6)))
    return NodeView(
        name=name,
        labels={"zone": drawn.choice("xyz"), "disk": drawn.choice("ab"), **own},
        capacity=Resources(drawn.choice((0, 2, 8, 16)) * NANO, drawn.choice((4, 64)) * GIB + odd),
        health=drawn.choice((100, 100, 100, 90, 0)),
        strain=drawn.choice((0, 0, 0, 5)),
        containers=tuple(_container(n, drawn) for n in range(drawn.randrange(3))),
    )


def _container(number: int, drawn: Random) -> ContainerView:
    return ContainerView(
        name=f"other{number}",
        ports=drawn.choice(((), (Port(80),))),
        resources=Resources(drawn.randrange(2 * NANO), drawn.randrange(4 * GIB)),
        volumes=drawn.choice(((), ("data",))),
        service=drawn.choice(("", "s1")),
        slot=str(number),
    )


def _request(drawn: Random) -> Request:
    return Request(
        service=f"s{drawn.randrange(4)}",
        strategy=drawn.choice([*Strategy]),
        resources=Resources(
            drawn.choice((0, NANO // 100, NANO)), drawn.choice((0, GIB // 100, 2 * GIB))
        ),
        ports=drawn.choice(((), (), (Port(80),))),
        constraints=drawn.choice(((), (ON_A,))),
        spread_over=drawn.choice(((), (), ("zone",), ("zone", "disk"))),
        max_per_node=drawn.choice((0, 0, 1)),
    )


def _batches(drawn: Random) -> Iterator[list[Request]]:
    for number in range(40):
        request, size = _request(drawn), drawn.choice((1, 1, 2, 9))
        yield [replace(request, slot=f"{number}.{each}") for each in range(size)]


def _policy(drawn: Random) -> Policy:
    return Policy(seed=drawn.randrange(9), domain=drawn.choice(("", "zone")))


@pytest.mark.parametrize("seed", range(6))
def test_what_is_not_looked_at_would_not_have_been_taken(seed: int) -> None:
    drawn = Random(seed)
    nodes = [_node(f"n{number}", drawn) for number in range(150)]
    policy = _policy(drawn)
    some, all_ = Placer(Board(nodes, policy)), _Thorough(Board(nodes, policy))
    for batch in _batches(drawn):
        assert some.place(batch) == all_.place(batch)


@pytest.mark.parametrize("seed", range(6))
def test_on_a_board_that_is_kept_all_goes_as_on_a_new_one(seed: int) -> None:
    drawn = Random(seed)
    nodes = [_node(f"n{number}", drawn) for number in range(60)]
    policy, kept, boards = _policy(drawn), Kept(), list[Board]()
    for _ in range(6):
        requests = [each for batch in _batches(drawn) for each in batch][:30]
        placer = kept.placer(nodes, policy)
        boards.append(placer.board)
        assert placer.place(requests) == place(nodes, requests, policy)
        for at in drawn.sample(range(60), 3):
            held = tuple(_container(n, drawn) for n in range(drawn.randrange(4)))
            nodes[at] = replace(nodes[at], containers=held)
        for at in drawn.sample(range(60), 2):
            state, strain = drawn.choice((State.UP, State.DOWN)), drawn.choice((0, 1, 6))
            nodes[at] = replace(nodes[at], state=state, strain=strain)
    assert any(one is other for one, other in pairwise(boards))


def _placed(kept: Kept, nodes: list[NodeView], policy: Policy | None = None) -> Decision:
    (decision,) = kept.placer(nodes, policy or Policy()).place([Request(service="s")])
    return decision


def test_a_board_is_made_anew_when_nodes_come_or_go_or_too_many_change() -> None:
    drawn = Random(1)
    nodes = [replace(_node(f"n{number}", drawn), health=100) for number in range(20)]
    kept = Kept()
    boards = [kept.placer(nodes, Policy()).board]
    others = (
        [*nodes, _node("n99", drawn)],
        nodes,
        [replace(each, containers=()) for each in nodes],
    )
    for now in others:
        placer = kept.placer(now, Policy())
        assert placer.board is not boards[-1]
        boards.append(placer.board)
        assert _placed(kept, now) == place(now, [Request(service="s")])[0]
    assert kept.placer(others[-1], Policy(seed=1)).board is not boards[-1]


def _alone(number: int) -> NodeView:
    return NodeView(name=f"n{number}", labels={"node": f"n{number}"})


def _alike(number: int) -> NodeView:
    return NodeView(name=f"n{number}")


@pytest.mark.parametrize(
    ("nodes", "changes", "is_kept"),
    [
        ([_alone(n) for n in range(9)], {3: {"state": State.SUSPECT}}, True),
        ([_alone(n) for n in range(9)], {3: {"labels": {"a": "b"}}, 4: {"strain": 9}}, True),
        ([_alone(n) for n in range(9)], {3: {"labels": {}}, 4: {"labels": {}}}, False),
        ([_alone(n) for n in range(9)], {3: {"labels": {"node": "n4"}}}, False),
        ([_alike(n) for n in range(9)], {3: {"state": State.DOWN}}, False),
    ],
    ids=["its state", "two of them", "both the same", "as another one", "one of many"],
)
def test_a_board_is_kept_while_who_changes_is_the_only_one_of_its_kind(
    nodes: list[NodeView], changes: dict[int, dict[str, Any]], is_kept: bool
) -> None:
    kept = Kept()
    before = _placed(kept, nodes)
    board = kept.placer(nodes, Policy()).board
    now = [replace(node, **changes.get(at, {})) for at, node in enumerate(nodes)]
    assert (kept.placer(now, Policy()).board is board) is is_kept
    assert _placed(kept, now) == place(now, [Request(service="s")])[0]
    assert _placed(kept, nodes) == before


def test_two_nodes_of_one_name_are_an_error_on_a_kept_board_too() -> None:
    node, other = _node("n1", Random(1)), _node("n2", Random(2))
    kept = Kept()
    kept.placer([node, other], Policy())
    with pytest.raises(ValueError, match="two nodes are called n1"):
        kept.placer([node, node, other], Policy())


def test_a_board_is_not_kept_for_ever() -> None:
    nodes, kept = [_node("n1", Random(1)), _node("n2", Random(2))], Kept()
    nodes = [replace(each, capacity=Resources(NANO, GIB), health=100) for each in nodes]
    first = board = kept.placer(nodes, Policy()).board
    for number in range(5000):
        held = ContainerView(name="c", resources=Resources(number, number))
        nodes[number % 2] = replace(nodes[number % 2], containers=(held,))
        board = kept.placer(nodes, Policy()).board
        assert len(board.log) < 5000
    assert board is not first


def test_what_has_no_place_is_told_again_without_a_look_until_something_changes() -> None:
    nodes, kept = [_alone(n) for n in range(3)], Kept()
    request = Request(service="s", constraints=(parse_constraint("node.labels.a==b"),))
    (first,) = kept.placer(nodes, Policy()).place([request])
    (second,) = kept.placer(nodes, Policy()).place([replace(request, slot="2")])
    assert isinstance(first, Refusal)
    assert isinstance(second, Refusal)
    assert second.reasons is first.reasons
    assert second.request.slot == "2"
    nodes[1] = replace(nodes[1], labels={"a": "b"})
    assert isinstance(kept.placer(nodes, Policy()).place([request])[0], Placement)
    busy = Request(service="t", resources=Resources(cpu=1))
    (third,) = kept.placer(nodes, Policy()).place([busy])
    nodes[2] = replace(nodes[2], capacity=Resources(cpu=9))
    assert isinstance(third, Refusal)
    assert isinstance(kept.placer(nodes, Policy()).place([busy])[0], Placement)
