"""Rules of a stack file that keep containers off nodes."""

import pytest

from sidecar.scheduler.compose.document import Problems
from sidecar.scheduler.compose.stack import stack_of
from sidecar.scheduler.decision import decide
from sidecar.scheduler.explaining import lines_of
from sidecar.scheduler.model import ContainerView, NodeView, Placement, Policy, Refusal


@pytest.mark.parametrize(
    "near", ["links: ['db:other']", "volumes_from: ['db:ro']", "ipc: service:db", "pid: service:db"]
)
@pytest.mark.parametrize("is_classic", [False, True])
def test_what_is_linked_goes_where_the_other_is(near: str, is_classic: bool) -> None:
    """Classic's dependency filter: links, volumes and networks of others are on one host."""
    text = f"""
services:
  web: {{image: x, {near}}}
  db: {{image: x, environment: ['constraint:node==n2']}}
"""
    stack = stack_of(text, "s", Problems(), name="s")
    crowd = tuple(ContainerView(name=f"c{n}") for n in range(3))
    nodes = [NodeView(name="n1"), NodeView(name="n2", containers=crowd), NodeView(name="n3")]
    found = decide(stack, nodes, Policy(is_classic=is_classic))
    assert [each.node for each in found if isinstance(each, Placement)] == ["n2", "n2"]
    (refused,) = decide(stack, nodes[:1], Policy(is_classic=is_classic))[1:]
    assert isinstance(refused, Refusal)
    assert lines_of(refused) == ["no container of db is there: 1"]
