"""Composition root: the only place that knows every feature."""

from sidecar.config.load import Loaded
from sidecar.errors import PinnaceError


def main(_loaded: Loaded) -> int:
    """Run everything the settings ask for; return the exit status."""
    raise PinnaceError("pinnace up is not there yet")
