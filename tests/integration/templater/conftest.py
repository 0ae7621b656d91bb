"""Every test here needs the real HAProxy."""

import pytest

from tests.integration.templater.harness import need_haproxy


@pytest.fixture(autouse=True)
def _haproxy() -> None:
    need_haproxy()
