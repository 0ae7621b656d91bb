"""A repository and a git-sync for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.repository import GitSyncProgram, Repository


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Return a repository with the commit ``one``."""
    return Repository(tmp_path / "repo")


@pytest.fixture
def sync(tmp_path: Path, repo: Repository) -> Iterator[GitSyncProgram]:
    """Return a git-sync of it, not started."""
    with GitSyncProgram(tmp_path, repo.url) as program:
        yield program
