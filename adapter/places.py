"""Where adapters listen for scrapes, as Go's programs write it. Pure."""

from sidecar.config.units import Endpoint, endpoint

__all__ = ["listen_of"]


def listen_of(text: str) -> Endpoint:
    """Return an address; without a host it is every address of both families, host ''.

    Raises ValueError.
    """
    found = endpoint(text)
    return found._replace(host="") if text.strip().startswith(":") else found
