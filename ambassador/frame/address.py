"""Where a server is. Pure."""

from typing import NamedTuple

__all__ = ["Address"]


class Address(NamedTuple):
    """Where a server is: host and port, or the path of a Unix socket with port 0."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return it as people write it."""
        if not self.port and self.host.startswith("/"):
            return f"unix:{self.host}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
