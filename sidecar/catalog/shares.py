"""Whole-number weights that make shares of traffic exact, for proxies and for SRV records. Pure.

Proxies take weights from 0 to 256. Weights beyond that are scaled. Where some instances are
canaries, all of them together get a percentage and the others the rest, whatever their numbers:
one side keeps its proportions exactly, times a factor; the other side's sum is rounded and dealt
out by largest remainders. Of all factors the one with the least error is taken, which is below
half a point: the least share that one canary beside one other can have is 1 of 257.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Self

__all__ = ["Percent", "Wish", "weights_of"]

_MOST: Final = 256
_PERCENT: Final = re.compile(r"\d{1,3}(?:\.\d{1,2})?", re.ASCII)


class Percent(float):
    """A share from 0 to 100 per cent."""

    def __new__(cls, text: str) -> Self:
        """Take a number such as ``5`` or ``0.5``, with or without ``%``."""
        number = text.removesuffix("%").rstrip(" ")
        if not _PERCENT.fullmatch(number) or float(number) > 100:
            raise ValueError(f"{text!a:.60} is not a share from 0 to 100")
        return super().__new__(cls, number)


class Wish(NamedTuple):
    """What an instance asks for; ``counts``: it gets new work and is no backup."""

    weight: int
    canary: Percent | None = None
    counts: bool = True


def weights_of(wishes: Sequence[Wish]) -> tuple[int, ...]:
    """Return the weights by which the shares come true among those that count.

    When canaries ask for different shares the smallest holds.
    """
    given = [max(one.weight, 0) for one in wishes]
    counting = [at for at, one in enumerate(wishes) if one.counts and given[at]]
    canaries = [at for at in counting if wishes[at].canary is not None]
    shares = [share for at in canaries if (share := wishes[at].canary) is not None]
    stable = [at for at in counting if wishes[at].canary is None]
    weights = _scaled(given)
    if shares and (stable or not min(shares)):
        left, right = [weights[at] for at in stable], [weights[at] for at in canaries]
        left, right = _divided(left, right, min(shares) / 100)
        for at, weight in zip([*stable, *canaries], [*left, *right], strict=True):
            weights[at] = weight
    return tuple(weights)


def _scaled(given: Sequence[int]) -> list[int]:
    most = max(given, default=0)
    if most <= _MOST:
        return list(given)
    return [max(1, round(one * _MOST / most)) if one else 0 for one in given]


def _divided(
    stable: Sequence[int], canaries: Sequence[int], share: float
) -> tuple[list[int], list[int]]:
    """Return the weights of both, ``share`` being that of the canaries together."""
    if share == 0:
        return list(stable), [0] * len(canaries)
    if share == 1:
        return [0] * len(stable), list(canaries)
    candidates = [
        *((left, right) for left, right in _sums(stable, canaries, share / (1 - share))),
        *((left, right) for right, left in _sums(canaries, stable, (1 - share) / share)),
    ]

    def error(sums: tuple[int, int]) -> float:
        """Return how wrong the sides are, and by how much a member may be within its side."""
        uneven = any(
            len(side) > 1 and total % sum(side)
            for total, side in zip(sums, (stable, canaries), strict=True)
        )
        return abs(sums[1] / sum(sums) - share) + (0.25 / sum(sums) if uneven else 0)

    left, right = min(candidates, key=error)
    return _dealt(left, stable), _dealt(right, canaries)


def _sums(exact: Sequence[int], other: Sequence[int], ratio: float) -> Iterator[tuple[int, int]]:
    """Yield sums of both sides: multiples and the most for one, what is nearest for the other."""
    whole, most = sum(exact), _MOST * sum(other) // max(other)  # no weight is above the limit
    largest = _MOST * whole // max(exact)
    for total in [*range(whole, largest + 1, whole), largest]:
        yield total, min(max(1, round(total * ratio)), most)


def _dealt(total: int, weights: Sequence[int]) -> list[int]:
    """Deal out a total in proportion, what is left to the largest remainders."""
    whole = sum(weights)
    dealt = [total * one // whole for one in weights]
    order = sorted(range(len(weights)), key=lambda at: -(total * weights[at] % whole))
    for at in order[: total - sum(dealt)]:
        dealt[at] += 1
    return dealt
