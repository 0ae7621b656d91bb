"""The commands against a running program on a real engine."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.tools.engine import PrivateEngine
from tests.support.pinnace import Pinnace, until

pytestmark = pytest.mark.engine

SHOP = """
name: shop
services:
  web:
    image: web
    network_mode: bridge
    deploy:
      replicas: 2
      update_config: {monitor: 0.5s}
      rollback_config: {monitor: 0.5s}
"""


@pytest.fixture
def engine(engine: PrivateEngine) -> Iterator[PrivateEngine]:
    """The engine without what a stack left on it."""
    yield engine
    found = engine.docker("ps", "-aq", "--filter", "label=pinnace.stack").split()
    if found:
        engine.docker("rm", "-f", "-v", *found)


class _Shell:
    def __init__(self, here: Pinnace, folder: Path) -> None:
        self._environ = {**os.environ, "PINNACE_SCHEDULER__API": here.api}
        self.file = folder / "compose.yaml"

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Run ``pinnace WORDS``; return its status and what it said."""
        program = str(Path(sys.executable).with_name("pinnace"))
        found = subprocess.run(
            [program, *words], check=False, env=self._environ, capture_output=True, text=True,
            timeout=120,
        )  # fmt: skip
        return found.returncode, found.stdout, found.stderr

    def up(self, text: str) -> tuple[int, str]:
        """Put a stack in force; return the status and what was complained of."""
        self.file.write_text(text)
        status, _, err = self("stack", "up", str(self.file))
        return status, err

    def stack(self) -> dict[str, Any]:
        """Return the stack as the scheduler tells it."""
        status, out, err = self("stack", "ps", "shop", "--json")
        assert status == 0, err
        found: dict[str, Any] = json.loads(out)
        return found


def test_a_stack_lives_through_all_that_can_be_ordered(
    engine: PrivateEngine, tmp_path: Path
) -> None:
    environ = {"PINNACE_SCHEDULER__ON": "true"}
    with Pinnace(engine.url, env=environ, lb=False) as here:
        shell = _Shell(here, tmp_path)
        assert shell.up(SHOP)[0] == 0
        assert shell("stack", "scale", "web=3")[0] == 0
        assert len(engine.docker("ps", "-q").split()) == 3

        text = SHOP.replace("image: web", "image: web\n    environment: [A=1]")
        text = text.replace("deploy:", "deploy:\n      placement: {constraints: [a==b]}")
        refused, err = shell.up(text)
        assert (refused, "constraint a==b: 1" in err) == (3, True)
        assert "constraint a==b: 1" in shell("why", "web/1")[1]

        failed, err = shell.up(SHOP.replace("image: web", "image: web\n    entrypoint: [/none]"))
        assert (failed, "/none" in err) == (4, True)
        assert shell.stack()["services"][0]["rollout"]["phase"] == "paused"

        here.stop()
        here.start()
        until(lambda: shell.stack()["services"][0]["replicas"]["ready"] == 3)
        kept = shell.stack()["services"][0]
        assert kept["rollout"]["phase"] == "paused", "that it failed outlives the process"
        assert kept["scaled"]

        assert shell("stack", "rollback", "web")[0] == 0
        assert len(engine.docker("ps", "-q").split()) == 3
        assert "rolled back" in shell("stack", "events")[1]
        assert shell("node", "ls")[1].count("active") == 1
        assert shell("stack", "down", "shop")[0] == 0
        assert engine.docker("ps", "-aq").split() == []


def test_the_walk_through_of_the_document_works(engine: PrivateEngine, tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs/stacks.md").read_text()
    walk = text.partition("## A walk through")[2].partition("\n## ")[0]
    (stack,) = re.findall(r"```yaml\n(.*?)```", walk, re.DOTALL)
    (commands,) = re.findall(r"```sh\n(.*?)```", walk, re.DOTALL)
    with Pinnace(engine.url, env={"PINNACE_SCHEDULER__ON": "true"}, lb=False) as here:
        shell = _Shell(here, tmp_path)
        shell.file.write_text(stack.replace("nginx", "web\n    network_mode: bridge"))
        for line in commands.splitlines():
            words = line.replace("compose.yaml", str(shell.file)).split()
            assert words[0] == "pinnace"
            status, out, err = shell(*words[1:])
            assert status == 0, (line, out, err)
