"""From templates to files: executed, checked, placed, and what came of each.

A pass renders in a thread, so everything here but the making of a ``Maker`` blocks. A check runs on
the loop and the thread waits for it, so that whatever ends the loop ends the check.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sidecar.errors import PinnaceError, RenderError
from sidecar.runtime.command import Command, run
from templater.consul_template.documents import Documents
from templater.consul_template.placing import Placer
from templater.consul_template.rendering import Rendered
from templater.consul_template.settings import Settings, TemplateSettings, checking
from templater.counters import RENDERS
from templater.keeping.apply import CheckFailed

__all__ = ["Environments", "Maker", "Report"]


@dataclass(frozen=True, slots=True)
class Environments:
    """What commands and the child are given, before their own settings choose from it."""

    command: Mapping[str, str]
    child: Mapping[str, str]
    own: Mapping[str, str]
    """How to reach the catalogue, without secrets for commands."""
    secret: Mapping[str, str]
    """The same with secrets, for the child."""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of one template in a pass."""

    user: int
    rendered: Rendered
    is_changed: bool = False
    failure: str = ""
    again: bool = False


class Maker:
    """Keeps the files of all templates of a run, by their number; belongs to the running loop."""

    def __init__(
        self, settings: Settings, documents: Documents, environments: Environments
    ) -> None:
        """Nothing is read or written yet."""
        loop = asyncio.get_running_loop()
        self._documents = documents
        self._placers = [
            Placer(
                one, is_dry=settings.is_dry,
                check=_checker(one, environments, loop) if one.check else None,
            )
            for one in settings.templates
        ]  # fmt: skip

    def prepare(self) -> list[int]:
        """Remove what a killed run left; return who owes a command."""
        return [user for user, placer in enumerate(self._placers) if placer.prepare()]

    def settle(self, users: Sequence[int]) -> None:
        """Note that the commands of these have succeeded."""
        for user in users:
            self._placers[user].settle()

    def render(self, users: Sequence[int]) -> list[Report]:
        """Execute and place these templates, in order."""
        return [self._render_one(user) for user in users]

    def _render_one(self, user: int) -> Report:
        rendered = self._documents.execute(user)
        if rendered is None:
            nothing = Rendered(None, frozenset(), frozenset())
            return Report(user, nothing, failure=self._documents.mistakes[user])
        if rendered.missing:
            return Report(user, rendered)  # an error may come of the empty values: not told yet
        if rendered.error or rendered.text is None:
            return Report(user, rendered, failure=rendered.error)
        try:
            is_changed = self._placers[user].place(rendered.text)
        except PinnaceError as error:
            again = isinstance(error, CheckFailed) or not isinstance(error, RenderError)
            return Report(user, rendered, failure=str(error), again=again)
        return Report(user, rendered, is_changed=is_changed)


def _checker(
    template: TemplateSettings, environments: Environments, loop: asyncio.AbstractEventLoop
) -> Callable[[Path], None]:
    env = template.run.env.environ(environments.command, environments.own)

    def check(path: Path) -> None:
        """Run the check of a new file. Raises CheckFailed."""
        command = Command(checking(template.check, str(path)), template.check_timeout or None)
        outcome = asyncio.run_coroutine_threadsafe(run(command, env), loop).result()
        if not outcome.is_good:
            RENDERS.labels("refused").inc()
            words = " ".join(outcome.output.split())
            raise CheckFailed(f"check failed: {outcome}: {words}".rstrip(": "))

    return check
