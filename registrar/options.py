"""What a registrar of its own is asked to do: its command line as one value. Pure."""

from dataclasses import dataclass
from typing import Literal

from sidecar.config.model import DockerSettings, LogSettings, RegistrarSettings

__all__ = ["Options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What ``registrar.daemon.main`` takes; everything in it was checked.

    ``stores`` are the URLs as given, the command line's first; ``settings.stores`` is empty.
    ``address_from``: whence the host's address when ``settings.ip`` is empty: from its ``name``,
    as Registrator resolves it (``0.0.0.0`` in compat, the route's else, when that fails), or from
    the ``route``, which ``settings.interfaces`` overrides. ``http`` is ``ADDR:PORT`` for
    ``/healthz`` and ``/metrics``, or empty. ``preview``: write nothing, print what would be
    written and end. ``style``: ``registrator`` logs its lines (``registrar.loglines``), ``ours``
    as ``log`` says. ``v2_first``: ``etcd://`` is asked by v2, as by Registrator, where it can be.
    """

    stores: tuple[str, ...]
    settings: RegistrarSettings
    docker: DockerSettings
    log: LogSettings
    address_from: Literal["name", "route"] = "name"
    http: str = ""
    preview: Literal["", "text", "json"] = ""
    style: Literal["registrator", "ours"] = "registrator"
    v2_first: bool = False
