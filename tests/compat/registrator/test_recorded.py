"""What the original registered for 54 containers under 13 sets of flags, and what we register.

Recorded by ``bench/registrator.py``; each run is compared without the original.
"""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.registrator import differences, registered

RECORDED: Final = json.loads((Path(__file__).parent / "recorded.json").read_text())
RUNS: Final[list[dict[str, Any]]] = RECORDED["runs"]

CORRECTED: Final = {
    "deep": "a longer key that looks like a port's hides nothing (if it comes first)",
    "emptyname": "an empty name of a port hides nothing",
    "https": "check_tls_skip_verify counts for HTTPS too",
    "idboth": "one id for two ports would make them one",
    "imageid": "the id of an image is no name",
    "iplabel": "10.1.2.3/24 is no address",
    "keyodd": "Consul would refuse the whole service for such a key",
    "nokey": "and for an empty one",
    "none": "nothing reaches a container without a network",
    "script": "Consul looks for a program of that whole name",
    "user": "a published port is at the host, not at the container",
}


def ours(run: dict[str, Any], *more: str) -> dict[str, dict[str, Any]]:
    return registered(
        RECORDED["containers"],
        [*run["flags"], *more],
        node=RECORDED["node"],
        address=RECORDED["address"],
    )


@pytest.mark.parametrize("run", RUNS, ids=lambda run: " ".join(run["flags"]) or "no flags")
def test_in_compat_every_registration_is_the_same(run: dict[str, Any]) -> None:
    assert [*differences(run["registered"], ours(run, "-compat"))] == []


@pytest.mark.parametrize("run", RUNS, ids=lambda run: " ".join(run["flags"]) or "no flags")
def test_else_only_what_is_corrected_on_purpose_differs(run: dict[str, Any]) -> None:
    different = {
        next((name for name in RECORDED["containers"] if f":{name}:" in line), "idboth")
        for line in differences(run["registered"], ours(run))
    }
    assert different <= CORRECTED.keys()


def test_each_correction_is_needed() -> None:
    lines = [line for run in RUNS for line in differences(run["registered"], ours(run))]
    text = "\n".join(lines)
    needed = CORRECTED.keys() - {"deep", "idboth"}  # the order of variables is the engine's affair
    assert [name for name in needed if f":{name}:" not in text] == []
    assert "same:80" in text


def test_the_recording_is_broad() -> None:
    assert len(RECORDED["containers"]) == 54
    assert sum(len(run["registered"]) for run in RUNS) > 700
