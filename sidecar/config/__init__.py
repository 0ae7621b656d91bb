"""Settings: frozen types, read from flags, environment, file and defaults, in that order."""

from sidecar.config.model import Settings

__all__ = ["Settings"]
