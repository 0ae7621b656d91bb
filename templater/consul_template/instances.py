"""A service's instances as the catalogue lists them, whatever their status. Pure."""

from typing import Final

import msgspec

from sidecar.gotemplate.kinds import GoType, pointer_to, slice_of
from sidecar.gotemplate.values import Slice

__all__ = ["ENTRIES", "Entry", "instances_of"]


class Entry(msgspec.Struct, frozen=True, rename="pascal"):
    """One instance; ``address`` is empty when it has none of its own."""

    node: str = ""
    id: str = msgspec.field(name="ServiceID", default="")
    name: str = msgspec.field(name="ServiceName", default="")
    address: str = msgspec.field(name="ServiceAddress", default="")
    tags: tuple[str, ...] | None = msgspec.field(name="ServiceTags", default=None)
    port: int = msgspec.field(name="ServicePort", default=0)


ENTRIES: Final = slice_of(pointer_to(GoType("dependency.CatalogService", "struct")))
_ENTRIES: Final = msgspec.json.Decoder(list[Entry])


def instances_of(body: bytes | None) -> Slice:
    """Return the instances in the catalogue's order. Raises msgspec.DecodeError."""
    return Slice(_ENTRIES.decode(body or b"[]"), ENTRIES)
