"""What a URL means for an election."""

from pathlib import Path

import pytest

from sidecar.errors import ConfigError
from sidecar.runtime.clock import LeaseClock, SystemClock
from sidecar.scheduler.election.opening import open_election


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (None, "file:///run/user/7/pinnace/scheduler.lock"),
        ("embedded:", "file:///run/user/7/pinnace/scheduler.lock"),
        ("file:///var/lock/a", "file:///var/lock/a"),
        ("consul://192.0.2.1:8500", "consul://192.0.2.1:8500"),
        ("consulkv://192.0.2.1:8500/pre", "consulkv://192.0.2.1:8500/pre"),
        ("etcd://u:secret@192.0.2.1:2379/pre", "etcd://192.0.2.1:2379/pre"),
        ("zookeeper://192.0.2.1:2181/pre", "zookeeper://192.0.2.1:2181/pre"),
    ],
)
async def test_a_url_names_the_lock(url: str | None, shown: str) -> None:
    contest = open_election(url, "a", environ={"XDG_RUNTIME_DIR": "/run/user/7"})
    assert contest._lock.url == shown
    assert (contest.epoch, contest.margin) == (None, 1.0)


async def test_the_file_is_in_the_folder_for_state(tmp_path: Path) -> None:
    assert open_election(None, "a", state_dir=tmp_path)._lock.url.startswith(f"file://{tmp_path}/")


@pytest.mark.parametrize(
    ("url", "ttl", "words"),
    [
        ("redis://x", 5.0, "redis: is none of consul://"),
        ("etcd2://192.0.2.1", 5.0, "needs the v3 API"),
        ("file:lock", 5.0, "no absolute path"),
        (None, 0.5, "lasts 1 to 30 s, not 0.5"),
        (None, 31.0, "not 31"),
    ],
)
def test_what_cannot_be_meant_is_refused(url: str | None, ttl: float, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        open_election(url, "a", ttl=ttl)


def test_the_clock_of_leases_counts_sleep_too() -> None:
    assert LeaseClock().monotonic() >= SystemClock().monotonic() - 1
