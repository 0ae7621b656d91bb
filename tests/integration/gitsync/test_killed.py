"""git-sync killed at any step: readers see complete files, and the next run does the rest."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import GitSyncProgram, Repository

STEPS = int(os.environ.get("PINNACE_TESTS_SEEDS", "1")) * 6
ONE, TWO = "1,one", "2,two"


@pytest.mark.parametrize("publish", ["link", "in-place"])
def test_killed_at_any_step_it_leaves_complete_files_and_goes_on(
    tmp_path: Path, repo: Repository, sync: GitSyncProgram, publish: str
) -> None:
    repo.commit(other="1")
    (repo.folder / "file").rename(repo.folder / "z")
    repo.commit(z="one")
    option = f"--publish={publish}"
    assert sync.once(option).returncode == 0
    template = tmp_path / "template"
    sync.root.rename(template)
    commit = repo.commit(other="2", z="two")
    words = [
        sys.executable, "-m", "tests.support.killed", str(sync.live), str(template), str(sync.root),
    ]  # fmt: skip
    arguments = [*sync.words()[1:], "--one-time", "--max-failures=0", option]

    def run(steps: str) -> str:
        done = subprocess.run(
            [*words, steps, *arguments], capture_output=True, text=True, check=True,
            timeout=20.0 * STEPS, env=dict(sync.environ()),
        )  # fmt: skip
        return done.stdout

    most = int(run("count"))
    chosen = range(1, most, max(1, most // STEPS))
    for line in run(",".join(map(str, chosen))).splitlines():
        found = json.loads(line)
        allowed = {ONE, TWO} if publish == "link" else {ONE, TWO, "1,two", "2,one"}
        assert found["between"] in allowed, found
        assert (found["status"], found["end"]) == (0, TWO), found
        assert found["left"] == [commit, f"{commit}.complete"], found
