"""Run git, and what it says when it cannot."""

import re
from collections.abc import Mapping
from typing import Final

from sidecar.errors import TransientError
from sidecar.metrics import counter
from sidecar.runtime.command import Command, run

__all__ = ["Git", "GitFailed", "redacted"]

_runs = counter(
    "pinnace_gitsync_git_runs_total", "git commands by name and result", ["name", "result"]
)
_SECRET: Final = re.compile(r"(?<=://)[^/@\s]*@")
_HASH: Final = re.compile(r"^[0-9a-f]{40}(?:[0-9a-f]{24})?$", re.MULTILINE)
_LAST: Final = 1000


class GitFailed(TransientError):
    """git ended badly; the text is what it said, without secrets."""


def redacted(text: str) -> str:
    """Return text without users and passwords in URLs."""
    return _SECRET.sub("", text)


class Git:
    """git in one folder, or in another one for a moment."""

    def __init__(
        self, program: str, folder: str, environ: Mapping[str, str], *, lock: int = -1
    ) -> None:
        """``environ`` holds where settings and credentials are; no secret is in it.

        A git that outlives us goes on holding the ``lock``, so nobody gets in its way.
        """
        self._program = program
        self._folder = folder
        self._environ = environ
        self._keeps = (lock,) if lock >= 0 else ()

    async def run(self, *words: str, folder: str = "") -> str:
        """Return what a command says. Raises GitFailed.

        It has no time limit of its own: who cancels it kills it.
        """
        outcome = await run(
            Command((self._program, *words)),
            self._environ,
            folder=folder or self._folder,
            keeps=self._keeps,
        )
        _runs.labels(words[0], "ok" if outcome.is_good else "error").inc()
        if not outcome.is_good:
            said = " ".join(redacted(outcome.output)[-_LAST:].split())
            raise GitFailed(f"git {words[0]}: {said or outcome}")
        return outcome.output

    async def says(self, *words: str, folder: str = "") -> bool:
        """Return whether a command ends well."""
        try:
            await self.run(*words, folder=folder)
        except GitFailed:
            return False
        return True

    async def hash_of(self, name: str, folder: str = "") -> str:
        """Return the commit behind a name, empty for none."""
        try:
            said = await self.run("rev-parse", "--verify", f"{name}^{{commit}}", folder=folder)
        except GitFailed:
            return ""
        found = _HASH.search(said)
        return found[0] if found else ""
