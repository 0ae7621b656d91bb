"""Rules of a stack file that keep containers off nodes."""

from dataclasses import replace

import pytest

from sidecar.scheduler.compose.document import Problems
from sidecar.scheduler.compose.stack import stack_of
from sidecar.scheduler.decision import decide
from sidecar.scheduler.explaining import lines_of
from sidecar.scheduler.model import ContainerView, NodeView, Placement, Policy, Refusal

CROWD = tuple(ContainerView(name=f"c{n}") for n in range(3))
ENDED = ContainerView(name="s_db_1", stack="s", service="db", slot="1", running=False, is_over=True)


@pytest.mark.parametrize(
    "near", ["links: ['db:other']", "volumes_from: ['db:ro']", "ipc: service:db", "pid: service:db"]
)
@pytest.mark.parametrize("is_classic", [False, True])
@pytest.mark.parametrize("left", [(), (ENDED,)], ids=["nothing", "what ended"])
def test_what_is_linked_goes_where_the_other_is(
    near: str, is_classic: bool, left: tuple[ContainerView, ...]
) -> None:
    """Classic's dependency filter: links, volumes and networks of others are on one host."""
    text = f"""
services:
  web: {{image: x, {near}}}
  db: {{image: x, environment: ['constraint:node==n2']}}
"""
    stack, policy = stack_of(text, "s", Problems(), name="s"), Policy(is_classic=is_classic)
    nodes = [NodeView(name="n1"), NodeView(name="n2", containers=CROWD), NodeView(name="n3")]
    nodes[0] = replace(nodes[0], containers=left)
    found = decide(stack, nodes, policy)
    assert [each.node for each in found if isinstance(each, Placement)] == ["n2", "n2"]
    (refused,) = decide(stack, nodes[:1], policy)[1:]
    assert isinstance(refused, Refusal)
    assert lines_of(refused) == ["no container of db is there: 1"]
