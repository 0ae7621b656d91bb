"""The root of the error hierarchy.

The caller decides by class, never by text. A library's exceptions stop at the edge module that
uses the library and are chained (``raise ... from``).
"""

from collections.abc import Sequence

__all__ = [
    "AddressInUse",
    "ApiError",
    "CertificateUnusable",
    "ConfigError",
    "EngineConflict",
    "EngineDenied",
    "EngineRefused",
    "EngineUnavailable",
    "PermanentError",
    "PinnaceError",
    "ProtocolError",
    "ReloadFailed",
    "RenderError",
    "StoreConflict",
    "StoreCorrupt",
    "StoreDenied",
    "StoreUnavailable",
    "TransientError",
    "UpstreamUnavailable",
]


class PinnaceError(Exception):
    """Anything this program raises on purpose."""

    exit_status = 1


class ConfigError(PinnaceError):
    """The configuration is wrong; holds every mistake found, each with its place."""

    exit_status = 78

    def __init__(self, problems: Sequence[str]) -> None:
        """Take one line of text per mistake, each starting with where it stands."""
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class ApiError(PinnaceError):
    """What a client of the Consul-compatible API is told: a status and Consul's own text."""

    def __init__(self, status: int, text: str) -> None:
        """Take the HTTP status and the whole body."""
        super().__init__(text)
        self.status = status


class ProtocolError(PinnaceError):
    """The peer sent nonsense; closes that connection only."""


class TransientError(PinnaceError):
    """Worth trying again; may say after how many seconds."""

    retry_after: float | None = None


class StoreUnavailable(TransientError):
    """The store cannot be reached or does not answer."""


class EngineUnavailable(TransientError):
    """The Docker engine cannot be reached or does not answer."""


class UpstreamUnavailable(TransientError):
    """No member of an upstream can be reached."""


class PermanentError(PinnaceError):
    """Trying again cannot help."""


class AddressInUse(PermanentError):
    """An address to listen on is taken or not ours."""


class CertificateUnusable(PermanentError):
    """The files of a certificate or its key cannot be used."""

    exit_status = 78


class EngineDenied(PermanentError):
    """The Docker engine refuses us (no permission on the socket)."""


class EngineRefused(PermanentError):
    """The Docker engine does not do what it was asked, and says why."""


class EngineConflict(EngineRefused):
    """What was asked for is there already, or is not in a state for it."""


class StoreConflict(PermanentError):
    """A compare-and-set was lost."""


class StoreDenied(PermanentError):
    """The store refuses us (no permission, wrong token)."""


class StoreCorrupt(PermanentError):
    """The store's own file cannot be trusted."""

    exit_status = 65


class RenderError(PermanentError):
    """A template or its data cannot be rendered; the old file stays."""


class ReloadFailed(PermanentError):
    """A rendered configuration was refused or did not become live."""
