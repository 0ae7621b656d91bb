"""`pinnace up` killed while clients write over HTTP: nothing acknowledged is lost (F7)."""

import os
import random
import time
from pathlib import Path

import pytest

from tests.support.history import History
from tests.support.pinnace import Pinnace, until

ROUNDS = int(os.environ.get("PINNACE_TESTS_KILLS", "20"))
SEED = 7


@pytest.mark.timeout(60 + 5 * ROUNDS)
def test_acknowledged_writes_survive_kills_and_no_index_goes_back(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    with Pinnace("unix:///nowhere", wait=False, lb=False, state_dir=tmp_path) as pinnace:
        history = History(pinnace.http_port)
        for number in range(ROUNDS):
            until(lambda: pinnace.get("/healthz")[0] == 200)
            history.check()
            before = history.acknowledged()
            history.start(("a", "b", "c/d"))
            until(lambda before=before: history.acknowledged() > before)  # type: ignore[misc]
            time.sleep(chance.uniform(0, 0.25))
            pinnace.kill()
            history.join()
            assert history.acknowledged() > before, number
            pinnace.start()
        until(lambda: pinnace.get("/healthz")[0] == 200)
        history.check()
        assert history.wakes > ROUNDS
        assert pinnace.stop() == 0
