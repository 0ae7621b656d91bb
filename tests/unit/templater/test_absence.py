"""How long something is away, as a metric says it."""

from sidecar.exposition import text
from sidecar.runtime.clock import FakeClock
from templater.absence import Absence


def _shown(name: str) -> float:
    line = next(
        line for line in text().decode().splitlines()
        if line.startswith(f"pinnace_templater_backend_{name} ")
    )  # fmt: skip
    return float(line.split()[1])


async def test_the_age_is_that_of_the_longest_absence_and_0_without_one() -> None:
    clock = FakeClock()
    first, second = Absence(clock), Absence(clock)
    assert _shown("sync_age_seconds") == 0
    first.begin()
    await clock.advance(10)
    second.begin()
    first.begin()
    await clock.advance(5)
    assert (_shown("sync_age_seconds"), _shown("away_count")) == (15, 2)
    first.end()
    first.end()
    assert (_shown("sync_age_seconds"), _shown("away_count")) == (5, 1)
    second.end()
    assert (_shown("sync_age_seconds"), _shown("away_count")) == (0, 0)
