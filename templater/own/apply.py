"""Keeps the file of one ``[[template]]``: confd's order of things, commands as lists of words.

The words come from the configuration; only the file's own two paths are put into them, so nothing
that a service says can become a part of a command (reliability T4).
"""

import os
from collections.abc import Callable
from pathlib import Path

from sidecar.config.model import TemplateSettings
from sidecar.runtime.command import Command, as_user, without_secrets
from templater.keeping.apply import Applier, Rules
from templater.keeping.target import Target
from templater.own.render import Renderer, State

__all__ = ["OwnApplier", "rules_of", "target_of"]


class OwnApplier(Applier[State]):
    """Renders, checks, places and reloads; ``rendered`` hears of each try, on the loop."""

    def __init__(
        self,
        settings: TemplateSettings,
        renderer: Renderer,
        rules: Rules,
        rendered: Callable[[State], None],
    ) -> None:
        """Keep ``settings.destination``."""
        super().__init__(target_of(settings), renderer, rules)
        self._settings = settings
        self._rendered = rendered

    @property
    def has_reload(self) -> bool:
        """Whether somebody is to be told of a new file."""
        return bool(self._settings.reload)

    async def sync(self, values: State) -> bool:
        """Make the file what it should be; say whether a reload is owed now."""
        try:
            return await super().sync(values)
        finally:
            self._rendered(values)

    @property
    def reload_words(self) -> tuple[str, ...]:
        """Return what tells the readers of the file; none when nothing does."""
        return self._words(self._settings.reload, Path(self._settings.destination))

    def check_command(self, staged: Path) -> Command | None:
        """Return what decides whether a staged file is good. Raises RenderError."""
        return self._command(self._words(self._settings.check, staged))

    def reload_command(self) -> Command | None:
        """Return what tells the readers of the file. Raises RenderError."""
        return self._command(self.reload_words)

    def _words(self, words: tuple[str, ...], source: Path) -> tuple[str, ...]:
        paths = {"{src}": str(source), "{dest}": self._settings.destination}
        argv = []
        for word in words:
            for name, path in paths.items():
                word = word.replace(name, path)  # noqa: PLW2901
            argv.append(word)
        return tuple(argv)

    def _command(self, words: tuple[str, ...]) -> Command | None:
        if not words:
            return None
        user = self._settings.run_as
        return Command(as_user(user, words) if user else words, self._settings.timeout)


def target_of(settings: TemplateSettings) -> Target:
    """Return the settings as a target; its commands are in the settings themselves."""
    owner, _, group = settings.owner.partition(":")
    return Target(
        name=settings.source,
        dest=settings.destination,
        mode=int(settings.mode, 8) if settings.mode else None,
        owner=owner,
        group=group,
        debounce=settings.debounce,
        min_reload_interval=settings.min_reload_interval,
    )


def rules_of(show: Callable[[str], None] | None = None) -> Rules:
    """Return what holds for all templates; ``show`` takes differences, and nothing is written."""
    return Rules(
        is_noop=show is not None,
        is_sync_only=False,
        keeps_stage=False,
        environ=without_secrets(os.environ),
        show=show,
    )
