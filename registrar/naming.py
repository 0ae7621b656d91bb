"""Which services a port belongs to, and the ids of its instances. Pure.

A name is the container's own (``SERVICE_NAME``), else the image's last path element; the container
port is added where several ports would share it. ``SERVICE_NAMES`` adds further services of the
same port. What others read byte for byte is as free as Registrator leaves it, except where it
could pass for a path or a line of its own; our own catalogue is strict.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from registrar.labels import Attributes, split_tags
from registrar.names import is_instance_id, is_plain, is_service_name
from registrar.ports import Place
from registrar.problems import Complaints, quoted
from sidecar.catalog.model import InstanceId
from sidecar.catalog.ownership import RESERVED
from sidecar.engine.facts import Container, Port

__all__ = ["Naming"]

_NAME_READ: Final = 128
_NAMES_MOST: Final = 16
_IMAGE_ID: Final = re.compile(r"(?:sha256:)?[0-9a-f]{64}")
_NOT_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]", re.ASCII)


class Naming(NamedTuple):
    """Names and ids of one container's instances; ``grouped``: it offers several ports."""

    container: Container
    place: Place
    grouped: bool
    complain: Complaints

    def names(self, port: Port, attributes: Attributes) -> tuple[str, ...]:
        """Return the services of a port, the main one first; none when it is not to be found."""
        own = self._name(port, attributes)
        if own is None or self.place.compat:
            return () if own is None else (own,)
        label = attributes.label("names")
        more = tuple(reversed(split_tags(attributes.get("names"))))[:_NAMES_MOST]
        specific = "names" in attributes.specific
        full = (self._full(name, port, specific) for name in more)
        return tuple(dict.fromkeys((own, *self._taken(full, label))))

    def ids(
        self, port: Port, attributes: Attributes, names: tuple[str, ...]
    ) -> tuple[InstanceId, ...]:
        """Return an id for each of a port's services."""
        first = self._id(port, attributes)
        return (first, *(InstanceId(f"{first}:{name}") for name in names[1:]))

    def derived_id(self, port: Port) -> InstanceId:
        """Return the id of a container that chose none."""
        name = self.container.name
        if not self._is_raw:
            name = _NOT_NAME.sub("_", name)
            if not 0 < len(name) <= _NAME_READ:  # cut names could be the same
                name = self.container.id[:12]
        return InstanceId(f"{self.place.node}:{name}:{_numbered(port)}")

    def _name(self, port: Port, attributes: Attributes) -> str | None:
        given = attributes.get("name")
        if not given and self.place.explicit:
            return None
        name, label = (given, attributes.label("name")) if given else (self._default(), "image")
        # In compat an empty name of the port's own hides the plain one and the suffix.
        specific = "name" in attributes.specific and bool(given or self.place.compat)
        return next(self._taken(iter([self._full(name, port, specific)]), label), None)

    def _full(self, name: str, port: Port, specific: bool) -> str:
        suffix = self.place.name_suffix
        wanted = suffix == "always" or (suffix == "auto" and self.grouped)
        if wanted and not specific:
            name = f"{name if self._is_raw else name[:256]}-{port.number}"
        return self.place.prefix + name

    def _taken(self, names: Iterator[str], label: str) -> Iterator[str]:
        for name in names:
            if self.place.is_ours and name.lower() in RESERVED:
                self.complain(label, f"not registered: the name {name!r} is reserved")
            elif not self._is_name(name):
                self.complain(label, f"not registered: {quoted(name)} is no safe service name")
            else:
                yield name

    def _is_name(self, name: str) -> bool:
        if self.place.is_ours:
            return is_service_name(name)
        return self.place.compat or is_plain(name)

    @property
    def _is_raw(self) -> bool:
        return self.place.compat and not self.place.is_ours

    def _default(self) -> str:
        """The image's last path element without tag or digest; an image id says nothing."""
        image = self.container.image
        if self.place.compat:
            return _original_default(image)
        if not _IMAGE_ID.fullmatch(image):
            name = image.rpartition("/")[2].partition("@")[0].partition(":")[0]
            if is_service_name(name):
                return name
        if is_service_name(self.container.name):
            return self.container.name
        return self.container.id[:12]

    def _id(self, port: Port, attributes: Attributes) -> InstanceId:
        given = attributes.get("id")
        if not given:
            return self.derived_id(port)
        if self._is_raw:
            return InstanceId(given)
        if self.grouped and "id" not in attributes.specific and not self.place.compat:
            given = f"{given[:256]}:{_numbered(port)}"
        if is_instance_id(given) if self.place.is_ours else is_plain(given):
            return InstanceId(given)
        label = attributes.label("id")
        self.complain(label, f"usual id instead: {quoted(given)} is no safe id")
        return self.derived_id(port)


def _original_default(image: str) -> str:
    """Return the last path element as Go's ``path.Base`` sees it, up to a colon."""
    base = image.rstrip("/").rpartition("/")[2] or ("/" if image else ".")
    return base.partition(":")[0]


def _numbered(port: Port) -> str:
    return f"{port.number}:udp" if port.protocol == "udp" else str(port.number)
