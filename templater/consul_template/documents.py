"""The templates of a run: read from disk, compiled, and compiled again when they are edited.

Everything here blocks: call it through ``asyncio.to_thread``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sidecar.gotemplate.failures import TemplateError
from sidecar.gotemplate.run import Limits
from sidecar.runtime.clock import Clock
from templater.consul_template.data import Functions, Knowledge
from templater.consul_template.rendering import Document, Rendered, RenderRules
from templater.consul_template.settings import TemplateSettings
from templater.consul_template.world import path_check

__all__ = ["Documents"]

_RENDER_LIMIT: Final = 30.0


class Documents:
    """Templates by their number; ``mistakes`` says what is wrong with which.

    A template that was edited and is wrong now stays what it was before. One caller executes at a
    time; another may ``refresh`` meanwhile.
    """

    def __init__(
        self,
        templates: Sequence[TemplateSettings],
        knowledge: Knowledge,
        world: Functions,
        clock: Clock,
    ) -> None:
        """Read nothing yet."""
        self._templates = templates
        self._knowledge = knowledge
        self._world = world
        self._clock = clock
        self._deadline = float("inf")
        self._documents: list[Document | None] = [None] * len(templates)
        self._looks: list[object] = [None] * len(templates)
        self.mistakes: dict[int, str] = {}

    def execute(self, user: int) -> Rendered | None:
        """Return what a template makes of what is known; None when it was never right."""
        document = self._documents[user] or self._compiled(user)
        if document is None:
            return None
        self._deadline = self._clock.monotonic() + _RENDER_LIMIT
        return document.execute()

    def refresh(self) -> set[int]:
        """Compile what is not yet, or looks different on disk; return which was edited."""
        edited = set()
        for user, template in enumerate(self._templates):
            before = self._looks[user]
            if _look_of(template) != before:
                self._compiled(user)
                edited |= set() if before is None else {user}
        return edited

    def _compiled(self, user: int) -> Document | None:
        template = self._templates[user]
        self._looks[user] = _look_of(template)
        try:
            text = template.contents or Path(template.source).read_text("utf-8", "surrogateescape")
            self._documents[user] = Document(text, self._knowledge, self._rules(template))
            self.mistakes.pop(user, None)
        except OSError as error:
            self.mistakes[user] = f"failed to read template: {error.strerror or error}"
        except TemplateError as error:
            self.mistakes[user] = f"parse: {error}"
        return self._documents[user]

    def _rules(self, template: TemplateSettings) -> RenderRules:
        return RenderRules(
            left=template.left,
            right=template.right,
            fails_on_missing=template.fails_on_missing,
            denied=template.denied,
            world=self._world,
            check_path=path_check(template.sandbox),
            destination=template.destination,
            limits=Limits(expired=self._is_late),
        )

    def _is_late(self) -> bool:
        return self._clock.monotonic() > self._deadline


def _look_of(template: TemplateSettings) -> object:
    """Return what tells whether a template's file is another now."""
    if not template.source:
        return ""
    try:
        found = Path(template.source).stat()
    except OSError:
        return "gone"
    return found.st_mtime_ns, found.st_size, found.st_ino
