"""Each test of this folder once per store."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.integration.stores.conformance.backend import Backend
from tests.integration.stores.conformance.backends import BACKENDS


@pytest.fixture(scope="session", params=BACKENDS)
def entered_backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Keep a store for all tests that use it: some take seconds to start."""
    with BACKENDS[request.param]() as backend:
        yield backend


@pytest.fixture
async def backend(entered_backend: Backend) -> AsyncIterator[Backend]:
    """Give a running, empty store."""
    await entered_backend.fresh()
    yield entered_backend
    await entered_backend.thaw()
