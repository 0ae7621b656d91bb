"""Builders of catalogue entries with keyword overrides."""

from typing import Any

from sidecar.catalog import Change, Instance, InstanceId, Put, Snapshot, apply
from sidecar.catalog.model import EMPTY


def instance(service: str = "web", id_: str = "web-1", **overrides: Any) -> Instance:
    """Return an instance of ``service`` on 192.0.2.1:8080 unless told otherwise."""
    fields: dict[str, Any] = {
        "id": InstanceId(id_),
        "service": service,
        "node": "node-1",
        "address": "192.0.2.1",
        "port": 8080,
    }
    return Instance(**(fields | overrides))


def snapshot(*instances: Instance) -> Snapshot:
    """Return a snapshot at index 1 that holds these instances."""
    return apply(EMPTY, puts(*instances))


def puts(*instances: Instance) -> list[Change]:
    """Return one Put per instance."""
    return [Put(each) for each in instances]
