"""Seeded sequences of requests over everything the specification lists. Pure.

A scenario holds every refusal once, in random places, between weighted random reads and writes.
Reads come singly and as watches: read, change something, read again with the index of the first
answer and a wait of a few milliseconds, which shows whether the change moved that query's index.
"""

import random
from collections.abc import Callable
from typing import Final

from tests.compat.consul import agent_steps, catalog_steps, kv_steps, refused_steps
from tests.compat.consul.steps import Dice, Step, get, put

__all__ = ["generate", "unlike"]

Builder = Callable[[Dice], list[Step]]

WAIT: Final = "20ms"
_WRITES: Final[dict[Builder, int]] = {
    **agent_steps.WRITES,
    **catalog_steps.WRITES,
    **kv_steps.WRITES,
}


def _write(dice: Dice) -> list[Step]:
    builders, weights = list(_WRITES), list(_WRITES.values())
    return dice.random.choices(builders, weights)[0](dice)


def _watch(dice: Dice) -> list[Step]:
    """Return a read, perhaps a change, and the same read blocking on the first one's index."""
    path = dice.pick((catalog_steps.reading, catalog_steps.reading, kv_steps.reading))(dice)
    symbol = dice.symbol("index")
    first = get(path, save=((symbol, "header.X-Consul-Index"),))
    between = _write(dice) if dice.chance(0.8) else []
    joint = "&" if "?" in path else "?"
    return [first, *between, get(f"{path}{joint}index=${{{symbol}}}&wait={WAIT}")]


def _other_life(dice: Dice) -> list[Step]:
    """Return a read with an index that lies in the past or in the future."""
    path = dice.pick((catalog_steps.reading, kv_steps.reading))(dice)
    joint = "&" if "?" in path else "?"
    return [get(f"{path}{joint}index={dice.pick((0, 1, 10**9))}&wait={WAIT}")]


_ALL: Final[dict[Builder, int]] = {
    **_WRITES,
    **agent_steps.READS,
    **catalog_steps.READS,
    **kv_steps.READS,
    _watch: 30,
    _other_life: 4,
}


def generate(seed: int, length: int = 600) -> list[Step]:
    """Return at least ``length`` requests, always the same for a seed."""
    dice = Dice(random.Random(seed))
    builders, weights = list(_ALL), list(_ALL.values())
    groups: list[list[Step]] = [[step] for step in refused_steps.REFUSED]
    count = len(groups)
    made: list[list[Step]] = []
    while count < length:
        group = dice.random.choices(builders, weights)[0](dice)
        made.append(group)
        count += len(group)
    for group in groups:  # the made ones keep their order: symbols come before their use
        made.insert(dice.number(0, len(made)), group)
    return [step for group in made for step in group]


def unlike() -> list[Step]:
    """Return the requests where Pinnace differs on purpose, with reads that show the result."""
    return [
        *refused_steps.STRICT,
        get("/v1/agent/services?pretty"),
        put("/v1/agent/check/register", {"Name": "stays", "TTL": "60m"}),
        put("/v1/agent/check/register", {"Name": "stays", "Args": ["true"], "Interval": "10s"}),
        get("/v1/agent/checks?pretty=stays"),
        put("/v1/agent/service/register", {"Name": "kept", "Port": 1}),
        put("/v1/agent/reload"),
        get("/v1/agent/services?pretty=kept"),
    ]
