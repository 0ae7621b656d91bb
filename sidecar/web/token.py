"""The token's file, and whether an address may be listened on without one."""

from pathlib import Path
from typing import Final

from sidecar.config.model import HttpSettings
from sidecar.config.units import endpoint
from sidecar.errors import ConfigError
from sidecar.web.guard import is_loopback

__all__ = ["read_token", "token_of"]

_LONGEST: Final = 4096
_SHORTEST: Final = 16
_OTHERS: Final = 0o077


def token_of(settings: HttpSettings) -> str:
    """Return the token, empty for none. Reads a file: call in a thread. Raises ConfigError."""
    host, _ = endpoint(settings.listen)
    if not settings.token_file:
        if is_loopback(host) or settings.insecure:
            return ""
        reason = "set http.token_file, or http.insecure = true to let everybody write"
        raise ConfigError(
            [f"http.listen: {settings.listen} can be reached from other hosts: {reason}"]
        )
    return read_token(settings.token_file, "http.token_file")


def read_token(file: str, option: str) -> str:
    """Return the token in a file; ``option`` names it in messages. Raises ConfigError."""
    path = Path(file)
    try:
        with path.open("rb") as opened:
            mode = path.stat().st_mode
            data = opened.read(_LONGEST + 1)
    except OSError as error:
        raise ConfigError([f"{option}: {path}: {error.strerror}"]) from error
    token = data.decode("ascii", "replace").strip()
    if not _SHORTEST <= len(token) <= _LONGEST or not token.isprintable() or " " in token:
        raise ConfigError(
            [f"{option}: {path}: must hold one token of at least {_SHORTEST} characters"]
        )
    if not token.isascii():
        raise ConfigError([f"{option}: {path}: must be plain ASCII"])
    if mode & _OTHERS:
        raise ConfigError([f"{option}: {path}: others can read it; chmod 600"])
    return token
