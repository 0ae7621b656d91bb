"""How git gets at a repository: settings, credentials and keys, in a folder only we can read.

A secret is never in an argument, in an environment or in a log: git is told by its environment
where a file of settings is, and by those where the credentials are. The folder is in memory
(/dev/shm) where there is such, and goes when we end.
"""

import fcntl
import os
import shlex
import shutil
import tempfile
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.error import URLError

from sidecar.errors import TransientError
from sidecar.gitsync.credentials import Credential, line_of
from sidecar.gitsync.options import Options
from sidecar.runtime.reason import reason_of
from sidecar.runtime.request import fetched

__all__ = ["Access"]

_MEMORY: Final = Path("/dev/shm")  # noqa: S108  (a folder of our own in it, mode 0700)
_COOKIES: Final = "/etc/git-secret/cookie_file"
_ASKPASS: Final = 1.0
_OWN: Final = ("GITSYNC_", "GIT_SYNC_")
_NAME: Final = "pinnace-git-"


class AccessFailed(TransientError):
    """Credentials cannot be had now."""


class Access:
    """The files and the environment for git; ``close`` removes them."""

    def __init__(self, options: Options, environ: Mapping[str, str]) -> None:
        """Write the settings. Blocks; call before the loop runs."""
        self._options = options
        where = _MEMORY if os.access(_MEMORY, os.W_OK) else None
        self._folder = Path(tempfile.mkdtemp(prefix=_NAME, dir=where))
        self._lock = _locked(self._folder)
        _sweep(self._folder)
        self._urls = [each.url for each in options.credentials]
        self._urls += [options.repo] * bool(options.askpass)
        config = self._folder / "config"
        config.write_text(self._settings(environ), "utf-8")
        kept = {name: value for name, value in environ.items() if not name.startswith(_OWN)}
        self.environ = {
            **kept,
            "GIT_CONFIG_GLOBAL": str(config),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "GIT_SSH_COMMAND": self._ssh(environ),
            "LC_ALL": "C.UTF-8",
        }

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._lock)

    def refresh(self) -> None:
        """Write the credentials anew. Blocks. Raises AccessFailed."""
        for number, each in enumerate(self._options.credentials):
            self._store(number, line_of(each, self._password(each)))
        if self._options.askpass:
            self._store(len(self._options.credentials), self._asked())

    def _settings(self, environ: Mapping[str, str]) -> str:
        home = environ.get("HOME", "")
        lines = [f"[include]\n\tpath = {_quoted(f'{home}/.gitconfig')}"] * bool(home)
        lines += ["[safe]\n\tdirectory = *", "[gc]\n\tauto = 0\n\tautoDetach = false"]
        lines += ["[maintenance]\n\tauto = false", "[advice]\n\tdetachedHead = false"]
        if self._options.has_cookies:
            lines.append(f"[http]\n\tcookieFile = {_COOKIES}")
        for number, url in enumerate(self._urls):
            helper = f"store --file={shlex.quote(str(self._folder / str(number)))}"
            lines.append(f"[credential {_quoted(url)}]\n\thelper = {_quoted(helper)}")
        lines += [_section(key, value) for key, value in self._options.config]
        return "\n".join(lines) + "\n"

    def _ssh(self, environ: Mapping[str, str]) -> str:
        words = [environ.get("GIT_SSH_COMMAND", "ssh")]
        words += [f"-i {shlex.quote(key)}" for key in self._options.ssh_keys]
        known = self._options.known_hosts
        if known:
            file = shlex.quote(f'UserKnownHostsFile="{known}"')  # ssh itself splits at blanks
            words.append(f"-o StrictHostKeyChecking=yes -o {file}")
        else:
            words.append("-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null")
        return " ".join([*words, "-o BatchMode=yes"])

    def _store(self, number: int, line: str) -> None:
        # git's own helper removes what was refused, so it is written before each use.
        path = self._folder / str(number)
        path.touch(0o600)
        path.write_text(line, "utf-8")

    def _password(self, credential: Credential) -> str:
        if not credential.file:
            return credential.password
        try:
            return Path(credential.file).read_text("utf-8").strip("\r\n")
        except OSError as error:
            raise AccessFailed(f"{credential.file}: {reason_of(error)}") from None

    def _asked(self) -> str:
        try:
            status, body = fetched(urllib.request.Request(self._options.askpass), _ASKPASS)  # noqa: S310
        except (URLError, OSError, ValueError) as error:
            raise AccessFailed(f"--askpass-url: {getattr(error, 'reason', error)}") from None
        if status != HTTPStatus.OK:
            raise AccessFailed(f"--askpass-url: status {status}")
        pairs = dict(line.split("=", 1) for line in body.splitlines() if "=" in line)
        user, password = pairs.get("username", ""), pairs.get("password", "")
        return line_of(Credential(self._options.repo, user), password)


def _locked(folder: Path) -> int:
    """Lock a folder for as long as we live. Raises BlockingIOError."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise
    return lock


def _sweep(folder: Path) -> None:
    """Remove what others of us left who were killed."""
    for other in folder.parent.glob(f"{_NAME}*"):
        if other == folder:
            continue
        with suppress(OSError):  # somebody else's, or at work
            os.close(_locked(other))
            shutil.rmtree(other, ignore_errors=True)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _section(key: str, value: str) -> str:
    head, _, name = key.rpartition(".")
    section, dot, rest = head.partition(".")
    return f"[{section}{' ' + _quoted(rest) if dot else ''}]\n\t{name} = {_quoted(value)}"
