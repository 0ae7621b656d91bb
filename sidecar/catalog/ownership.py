"""Who may write an entry: a container's belongs to the registrar, the others to the API. Pure.

An owner mark is ``registrar:`` and the engine's id, or ``api``. Neither takes over what the other
registered, and neither may take the names under which the catalogue itself is found; a conflict is
told (reliability T6).
"""

from collections.abc import Iterable, Mapping
from typing import Final

from sidecar.catalog.model import Instance
from sidecar.errors import ApiError

__all__ = ["RESERVED", "is_containers", "refuse_checks", "refuse_containers", "refuse_reserved"]

RESERVED: Final = frozenset({"consul", "pinnace"})
"""Names under which the catalogue itself is found."""
_REGISTRAR: Final = "registrar:"
_CHECK: Final = "service:"


def is_containers(instance: Instance) -> bool:
    """Say whether the registrar wrote this entry."""
    return instance.owner.startswith(_REGISTRAR)


def refuse_containers(*instances: Instance | None) -> None:
    """Raise ApiError 409 if one of these is a container's."""
    for instance in instances:
        if instance is not None and is_containers(instance):
            raise ApiError(
                409, f'Service ID "{instance.id}" is a container\'s, owned by {instance.owner}'
            )


def refuse_checks(ids: Iterable[str], there: Mapping[str, Instance]) -> None:
    """Raise ApiError 409 if one of these ids is of a check that a container's entry came with.

    ``there`` holds the instances of the node by id.
    """
    for id_ in ids:
        tested = _tested(id_, there)
        if tested is not None and is_containers(tested):
            raise ApiError(409, f'Check ID "{id_}" is a container\'s, owned by {tested.owner}')


def _tested(check_id: str, there: Mapping[str, Instance]) -> Instance | None:
    """Return the instance of ``service:<id>`` or, one of several, ``service:<id>:<which>``."""
    if not check_id.startswith(_CHECK):
        return None
    id_ = check_id.removeprefix(_CHECK)
    return there.get(id_) or there.get(id_.rpartition(":")[0])


def refuse_reserved(name: str) -> None:
    """Raise ApiError 400 for a name of our own."""
    if name.lower() in RESERVED:
        raise ApiError(400, f"Invalid Name: {name!a} is reserved")
