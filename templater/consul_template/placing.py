"""One template's file: compared, written whole, and what it still owes its command.

Everything here blocks: call it through ``asyncio.to_thread``.
"""

import contextlib
import grp
import os
import pwd
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sidecar.errors import RenderError, TransientError
from sidecar.runtime.log import get_logger
from templater.consul_template.settings import TemplateSettings
from templater.files.owed import Owed
from templater.files.stage import Stage, remove_leftovers

__all__ = ["Placer"]

_DIRECTORY_MODE: Final = 0o755
_log = get_logger("consul-template")


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


class Placer:
    """Keeps one destination; one call at a time."""

    def __init__(
        self,
        template: TemplateSettings,
        *,
        is_dry: bool = False,
        show: Callable[[str], None] = _print,
        check: Callable[[Path], None] | None = None,
    ) -> None:
        """``show`` takes what would be written when nothing may be.

        ``check`` looks at a new file before it is placed. Raises CheckFailed; it blocks.
        """
        self._template = template
        self._destination = Path(template.destination)
        self._is_dry = is_dry
        self._show = show
        self._check = check
        self._owed = Owed(self._destination)

    def prepare(self) -> bool:
        """Remove what a killed run left; say whether it owed its command."""
        if self._is_dry:
            return False
        for path in remove_leftovers(self._destination):
            _log.info("removed what a killed run left", path=path)
        if not self._owed.is_set():
            return False
        if not self._template.run.command:
            self._owed.clear()
            return False
        return True

    def place(self, text: str) -> bool:
        """Make the file what it should be; say whether it was another before.

        Raises RenderError (a change of configuration helps), CheckFailed and TransientError.
        """
        content = text.encode("utf-8", "surrogateescape")
        if len(content) < self._template.min_size:
            least = self._template.min_size
            raise RenderError(f"{len(content)} bytes, fewer than min_size {least}; the file stays")
        uid, gid = self._owner()
        if self._stands(content, uid, gid):
            return False
        if self._is_dry:
            self._show(f"> {self._template.destination}\n{text}")
            return True
        self._make_directory()
        if uid < 0 or gid < 0:
            uid, gid = self._kept_owner(uid, gid)
        mode = self._template.perms
        with Stage.make(self._destination, content, mode=mode, uid=uid, gid=gid) as stage:
            if not stage.changes:
                return False
            if self._check is not None:
                self._check(stage.path)
            if self._template.backup:
                self._back_up()
            self._place(stage)
        return True

    def settle(self) -> None:
        """Note that the command has succeeded."""
        self._owed.clear()

    def _stands(self, content: bytes, uid: int, gid: int) -> bool:
        """Say whether the file is as it should be; the quick way, which nearly always is enough."""
        try:
            found = self._destination.stat()
            if found.st_size != len(content) or not stat.S_ISREG(found.st_mode):
                return False
            mode = self._template.perms
            is_kept = (
                (uid < 0 or found.st_uid == uid)
                and (gid < 0 or found.st_gid == gid)
                and (mode is None or stat.S_IMODE(found.st_mode) == mode)
            )
            return is_kept and self._destination.read_bytes() == content
        except OSError:
            return False

    def _place(self, stage: Stage) -> None:
        owes, had = bool(self._template.run.command), self._owed.is_set()
        if owes and not self._owed.set():
            _log.warning("cannot note beside the file that a command is owed", path=stage.path)
        try:
            stage.place()
        except Exception:
            if owes and not had:
                self._owed.clear()
            raise

    def _make_directory(self) -> None:
        parent = self._destination.parent
        if parent.exists():
            return
        if not self._template.create_dest_dirs:
            raise TransientError(f"{parent}: the destination's parent directory is missing")
        try:
            parent.mkdir(_DIRECTORY_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise TransientError(f"cannot make {parent}: {error.strerror or error}") from error

    def _back_up(self) -> None:
        """Keep the file that is there as ``.bak``; a failure is told and no reason to stop."""
        kept = self._destination.with_name(f"{self._destination.name}.bak")
        fresh = self._destination.with_name(f".{self._destination.name}.bak-new")
        try:
            with contextlib.suppress(FileNotFoundError):
                fresh.unlink()
            os.link(self._destination, fresh, follow_symlinks=False)
            fresh.replace(kept)
        except FileNotFoundError:
            return
        except OSError as error:
            _log.warning("cannot keep a backup", path=kept, reason=error.strerror or error)

    def _kept_owner(self, uid: int, gid: int) -> tuple[int, int]:
        """Return the owner, where none is wanted the one that the file has."""
        try:
            found = self._destination.stat()
        except OSError:
            return uid, gid
        return found.st_uid if uid < 0 else uid, found.st_gid if gid < 0 else gid

    def _owner(self) -> tuple[int, int]:
        user, group = self._template.user, self._template.group
        try:
            uid = int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid if user else -1
            gid = int(group) if group.isdigit() else grp.getgrnam(group).gr_gid if group else -1
        except KeyError as error:
            raise RenderError(f"{self._template}: {error.args[0]}") from error
        return uid, gid
