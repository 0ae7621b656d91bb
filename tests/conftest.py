"""What every test gets: a blocking call inside the event loop fails the test."""

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

OURS = ["sidecar", "registrar", "templater", "dnsd", "ambassador", "adapter"]


@pytest.fixture(autouse=True)
def _no_blocking_calls() -> Iterator[BlockBuster]:
    with blockbuster_ctx(OURS) as blockbuster:
        yield blockbuster
