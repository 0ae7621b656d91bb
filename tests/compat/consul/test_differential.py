"""The same seeded requests to two servers, their answers compared field by field."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from deploy.tools.consul import Consul
from tests.compat.consul.conftest import locate, serving
from tests.compat.consul.differences import ALLOWED, differences, unexplained
from tests.compat.consul.normalise import Normal, normalised
from tests.compat.consul.replay import replay
from tests.compat.consul.scenario import generate, unlike
from tests.compat.consul.steps import Step
from tests.support.oracle import consul_program

SEEDS = range(int(os.environ.get("PINNACE_TESTS_SEEDS", "6")))
"""How many scenarios; the differences were brought to none over 20."""


def against_consul(steps: Sequence[Step], *, count: int = 1) -> list[list[Normal]]:
    """Return what so many fresh Consuls answer, asked at the same time."""
    program = consul_program()
    with ExitStack() as stack, ThreadPoolExecutor(count) as pool:

        def one(_: int) -> list[Normal]:
            consul = stack.enter_context(Consul(program=program, quiet=True))
            locate(consul)
            return normalised(replay(consul.url, steps))

        return list(pool.map(one, range(count)))


def against_pinnace(steps: Sequence[Step]) -> list[Normal]:
    """Return what a fresh Pinnace answers."""
    with serving("pinnace") as url:
        return normalised(replay(url, steps, settle_limit=0.2))


def shown(found: Sequence[object]) -> str:
    return f"{len(found)} differences\n" + "\n".join(str(each)[:400] for each in found[:40])


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_two_real_consuls_differ_in_nothing(seed: int) -> None:
    """What would be found here is random in the peer, and no fault of ours."""
    one, other = against_consul(generate(seed), count=2)
    found = list(differences(one, other))
    assert not found, shown(found)


@pytest.mark.parametrize("seed", SEEDS)
def test_pinnace_answers_as_the_real_consul(seed: int) -> None:
    steps = generate(seed)
    found = unexplained(against_consul(steps)[0], against_pinnace(steps))
    assert not found, shown(found)


def test_pinnace_differs_where_it_means_to_and_nowhere_else() -> None:
    steps = unlike()
    theirs, ours = against_consul(steps)[0], against_pinnace(steps)
    assert not unexplained(theirs, ours), shown(unexplained(theirs, ours))
    found = list(differences(theirs, ours))
    assert [each.reason for each in ALLOWED if not any(map(each.covers, found))] == []
