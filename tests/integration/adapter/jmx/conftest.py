"""Real JVMs, started once for all tests of this folder, and ended with them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.tools.jvm import Beans, Jmx, JmxZooKeeper, Tomcat, compiled
from tests.support.jmx import PASSWORD, KeyStores

LOGIN = ("monitor", "s3cret of monitor".replace(" ", "_"))


@pytest.fixture(scope="session")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled Java sources."""
    return compiled(tmp_path_factory.mktemp("classes"))


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> KeyStores:
    """Keys and certificates."""
    return KeyStores(tmp_path_factory.mktemp("stores"))


@pytest.fixture(scope="package")
def beans(classes: Path) -> Iterator[Beans]:
    """A JVM of a thousand beans, plain; nobody stops it."""
    with Beans(classes, 1000) as running:
        yield running


@pytest.fixture
def own(classes: Path) -> Iterator[Beans]:
    """A JVM of one test, to be stopped and frozen."""
    with Beans(classes, 3) as running:
        yield running


@pytest.fixture(scope="package")
def zookeeper() -> Iterator[JmxZooKeeper]:
    """A ZooKeeper."""
    with JmxZooKeeper() as running:
        yield running


@pytest.fixture(scope="package")
def tomcat(stores: KeyStores) -> Iterator[Tomcat]:
    """A Tomcat that wants a password, and certificates on both sides."""
    jmx = Jmx(
        login=LOGIN, keys=stores["server.p12"], trust=stores["trusts_client.p12"], password=PASSWORD
    )
    with Tomcat(jmx) as running:
        yield running


@pytest.fixture(scope="package")
def half_open(classes: Path, stores: KeyStores) -> Iterator[Beans]:
    """A JVM that wants a password, by TLS, with a plain registry."""
    jmx = Jmx(login=LOGIN, keys=stores["server.p12"], password=PASSWORD, plain_registry=True)
    with Beans(classes, 1, jmx) as running:
        yield running
