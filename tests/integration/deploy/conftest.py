"""The image of Pinnace, built once for all tests of this folder."""

import os
from collections.abc import Iterator

import pytest

from deploy.tools import base
from deploy.tools.engine import PrivateEngine
from deploy.tools.image import build

TAG = "pinnace:test"


@pytest.fixture(scope="package")
def image(engine: PrivateEngine) -> Iterator[str]:
    """The image, built on a Debian base that was made on this machine."""
    reason = base.why_not()
    if reason is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    engine.docker("import", str(base.base_tar()), "pinnace-base")
    build("pinnace-base", TAG, engine.environment())
    yield TAG
    engine.docker("rmi", "-f", TAG, "pinnace-base", check=False)
