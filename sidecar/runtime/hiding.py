"""Keep an import from loading what it can do without."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["without"]


@contextmanager
def without(module: str) -> Iterator[None]:
    """Hide a module from what the block imports, unless it is loaded already."""
    is_loaded = module in sys.modules
    # None is what the import system itself takes for "there is no such module".
    sys.modules.setdefault(module, cast("ModuleType", None))
    try:
        yield
    finally:
        if not is_loaded:
            del sys.modules[module]
