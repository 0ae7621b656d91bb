"""What every test gets: no blocking call in the event loop; private real parts, or a reason."""

import os
import shutil
import signal
from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import HealthCheck, settings

from deploy.tools.consul import Consul
from deploy.tools.engine import PrivateEngine, why_not
from deploy.tools.etcd import Etcd
from deploy.tools.etcd import why_not as without_etcd
from deploy.tools.jvm import why_not as without_jvms
from deploy.tools.zookeeper import why_not as without_zookeeper
from tests.support.containers import Containers
from tests.support.faults import FAKETIME
from tests.support.oracle import consul_program, insist
from tests.support.prometheus import why_not as without_prometheus

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As a shell starts what runs in its background; programs that tests start would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

OURS = ["sidecar", "registrar", "templater", "dnsd", "ambassador", "adapter"]


@pytest.fixture(autouse=True)
def _no_blocking_calls() -> Iterator[BlockBuster]:
    with blockbuster_ctx(OURS) as blockbuster:
        # The measurer's own lock, held by a thread that runs our code for a long time.
        blockbuster.functions["threading.Lock.acquire"].can_block_in(
            "coverage/collector.py", "lock_data"
        )
        yield blockbuster


def _without_haproxy() -> str | None:
    return None if shutil.which("haproxy") else "missing: haproxy (deploy/setup installs it)"


def _without_nginx() -> str | None:
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    return None if found else "missing: nginx (deploy/setup installs it)"


def _without_strace() -> str | None:
    return None if shutil.which("strace") else "missing: strace (deploy/setup installs it)"


def _without_faketime() -> str | None:
    return None if FAKETIME.exists() else "missing: libfaketime (deploy/setup installs it)"


def _without_redis() -> str | None:
    if shutil.which("redis-server"):
        return None
    return "missing: redis-server (deploy/setup installs it)"


def _without_mounts() -> str | None:
    return None if os.geteuid() == 0 and shutil.which("mount") else "missing: root, to mount"


REAL_PARTS = {
    "engine": why_not,
    "haproxy": _without_haproxy,
    "nginx": _without_nginx,
    "etcd": without_etcd,
    "strace": _without_strace,
    "faketime": _without_faketime,
    "mounts": _without_mounts,
    "zookeeper": without_zookeeper,
    "redis": _without_redis,
    "jvm": without_jvms,
    "prometheus": without_prometheus,
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose real part is missing; in CI, where it must be there, fail it."""
    for marker, missing in REAL_PARTS.items():
        if item.get_closest_marker(marker) is not None:
            insist(missing())


@pytest.fixture(scope="session")
def engine() -> Iterator[PrivateEngine]:
    """A private Docker engine with the tiny images; tests start ``containers`` on it."""
    with PrivateEngine() as private:
        private.build_images()
        yield private


@pytest.fixture
def containers(engine: PrivateEngine) -> Iterator[Containers]:
    """Containers of one test, removed at its end."""
    started = Containers(engine)
    yield started
    started.clean()


@pytest.fixture
def consul() -> Iterator[Consul]:
    """A fresh real Consul 1.8.7."""
    with Consul(program=consul_program()) as running:
        yield running


@pytest.fixture
def etcd() -> Iterator[Etcd]:
    """A fresh real etcd 3.4 that answers the v3 API alone."""
    with Etcd() as running:
        yield running
