"""Targets from the catalogue: instances of services with a tag, or with a port for JMX. Pure."""

from typing import Final

from adapter.jmx.settings import Place
from sidecar.catalog.model import Instance, Snapshot

__all__ = ["PORT_KEYS", "targets_in"]

PORT_KEYS: Final = ("jmx.port", "jmx_port", "jmx-port")
"""Meta keys that name the port; a container's label ``SERVICE_JMX_PORT`` becomes the second."""


def targets_in(snapshot: Snapshot, tag: str) -> dict[str, Place]:
    """Return name and place of each target; a name is ``service@host:port``.

    An instance has either the tag, and then its port is JMX's, or a meta key that says the port.
    """
    found: dict[str, Place] = {}
    for service, instances in snapshot.services.items():
        for instance in instances:
            port = _port(instance, tag)
            if port:
                place = Place(instance.address, port)
                found[f"{service}@{place}"] = place
    return found


def _port(instance: Instance, tag: str) -> int:
    for key in PORT_KEYS:
        text = instance.meta.get(key, "")
        if text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536:
            return int(text)
    return instance.port if tag in instance.tags else 0
