"""The filters of each endpoint: Consul's fields and its status for what is wrong. Pure.

Few requests carry a filter: what reads them is imported with the first one, not at the start.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from sidecar.errors import ApiError

if TYPE_CHECKING:
    from sidecar.catalog import fields
    from sidecar.catalog.filter import Filter

__all__ = ["Filtered", "compiled"]


class Filtered:
    """A filter whose trouble is an ApiError."""

    def __init__(self, test: "Filter", trouble: type[Exception]) -> None:
        """Wrap a compiled filter, which raises ``trouble``."""
        self._test = test
        self._trouble = trouble

    def __call__(self, entry: object) -> bool:
        """Return whether the entry passes."""
        try:
            return self._test(entry)
        except self._trouble as error:
            raise ApiError(500, str(error)) from error


def _all(_: object) -> bool:
    return True


def compiled(text: str, kind: str) -> Callable[[object], bool]:
    """Return the filter; raises ApiError 500 with Consul's words."""
    if not text:
        return _all
    from sidecar.catalog.filter import FilterError, compile_filter  # noqa: PLC0415

    try:
        return Filtered(compile_filter(text, _fields(kind)), FilterError)
    except FilterError as error:
        raise ApiError(500, str(error)) from error


@cache
def _fields(kind: str) -> "fields.Struct":
    from sidecar.catalog import fields  # noqa: PLC0415

    return {
        "agent": fields.AGENT_SERVICE,
        "check": fields.CHECK,
        "health": fields.HEALTH_SERVICE,
        "node": fields.CATALOG_NODE,
        "service": fields.CATALOG_SERVICE,
    }[kind]
