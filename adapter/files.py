"""Files that users write."""

from pathlib import Path

from sidecar.errors import ConfigError

__all__ = ["text_of"]


def text_of(path: str) -> str:
    """Return a file's text. Raises ConfigError."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError([f"{path}: cannot be read: {reason}"]) from error
