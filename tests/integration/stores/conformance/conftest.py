"""Each test of this folder once per store."""

import re
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.integration.stores.conformance.backend import Backend
from tests.integration.stores.conformance.backends import BACKENDS, VARIANTS


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the faults of a store that is a variant of another, and a registrar on no store."""
    left = [
        item
        for item in items
        if (_store(item) in VARIANTS and re.search("faults|registrars", item.nodeid))
        or (_store(item) == "memory" and "test_registrars" in item.nodeid)
    ]
    items[:] = [item for item in items if item not in left]
    config.hook.pytest_deselected(items=left)


def _store(item: pytest.Item) -> str:
    called = getattr(item, "callspec", None)
    return called.params.get("entered_backend", "") if called is not None else ""


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
