"""The filters of each endpoint: Consul's fields and its status for what is wrong. Pure."""

from collections.abc import Mapping
from typing import Final

from sidecar.catalog import fields
from sidecar.catalog.filter import Filter, FilterError, compile_filter
from sidecar.errors import ApiError

__all__ = ["Filtered", "compiled"]

_FIELDS: Final[Mapping[str, fields.Struct]] = {
    "agent": fields.AGENT_SERVICE,
    "check": fields.CHECK,
    "health": fields.HEALTH_SERVICE,
    "node": fields.CATALOG_NODE,
    "service": fields.CATALOG_SERVICE,
}


class Filtered:
    """A filter whose trouble is an ApiError."""

    def __init__(self, test: Filter) -> None:
        """Wrap a compiled filter."""
        self._test = test

    def __call__(self, entry: object) -> bool:
        """Return whether the entry passes."""
        try:
            return self._test(entry)
        except FilterError as error:
            raise ApiError(500, str(error)) from error


def compiled(text: str, kind: str) -> Filtered:
    """Return the filter; raises ApiError 500 with Consul's words."""
    try:
        return Filtered(compile_filter(text, _FIELDS[kind]))
    except FilterError as error:
        raise ApiError(500, str(error)) from error
