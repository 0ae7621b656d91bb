"""Free ports on loopback."""

from deploy.tools.server import free_ports

__all__ = ["free_port"]


def free_port() -> int:
    """Return a port that is free for TCP and UDP right now."""
    return free_ports(1)[0]
