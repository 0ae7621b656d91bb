"""Keeps the file of a template resource: the shell runs its commands, which are templates too."""

import sys
from collections.abc import Mapping
from pathlib import Path

from sidecar.errors import RenderError
from sidecar.runtime.command import Command, shell
from templater.backends.base import Values
from templater.confd.options import Dialect
from templater.confd.render import Renderer, command_text
from templater.confd.resource import Resource
from templater.confd.settings import Settings
from templater.keeping.apply import Applier, Rules

__all__ = ["ResourceApplier", "rules_of"]


class ResourceApplier(Applier[Values]):
    """Renders, checks, places and reloads as a resource says; the settings say how long."""

    def __init__(
        self, resource: Resource, renderer: Renderer, settings: Settings, rules: Rules
    ) -> None:
        """Keep ``resource.dest``."""
        super().__init__(resource, renderer, rules)
        self.resource = resource
        self._settings = settings

    @property
    def has_reload(self) -> bool:
        """Whether somebody is to be told of a new file."""
        return bool(self.resource.reload_cmd)

    def check_command(self, staged: Path) -> Command | None:
        """Return what decides whether a staged file is good. Raises RenderError."""
        resource = self.resource
        if not resource.check_cmd:
            return None
        data = {"src": str(staged)}
        try:
            text = command_text("checkcmd", resource.check_cmd, data, is_lenient=False)
        except RenderError as error:
            raise RenderError(f"Config check failed: {error}") from error
        usual = self._settings.seconds("check-cmd-timeout")
        return shell(text, resource.check_timeout or usual or None)

    def reload_command(self) -> Command | None:
        """Return what tells the readers of the file."""
        resource = self.resource
        if not resource.reload_cmd:
            return None
        data = {"src": str(self.renderer.source), "dest": resource.dest}
        text = command_text("reloadcmd", resource.reload_cmd, data, is_lenient=True)
        usual = self._settings.seconds("reload-cmd-timeout")
        return shell(text, resource.reload_timeout or usual or None)


def rules_of(settings: Settings, environ: Mapping[str, str]) -> Rules:
    """Return what settings say of all resources; ``environ`` is for commands."""
    return Rules(
        is_noop=settings.is_noop,
        is_sync_only=settings.is_sync_only,
        keeps_stage=settings.keeps_stage,
        environ=environ,
        show=_print if settings.is_on("diff") else None,
        diff_context=int(settings.seconds("diff-context")),
        is_colored=settings.is_on("color"),
        needs_owner=settings.dialect is Dialect.FORK,
    )


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
