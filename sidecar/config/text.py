"""The text of a file that a user named."""

from pathlib import Path

from sidecar.errors import ConfigError

__all__ = ["text_of"]


def text_of(path: Path) -> str:
    """Return what a file holds. Blocks. Raises ConfigError."""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: this is no UTF-8 at byte {error.start}"]) from None
