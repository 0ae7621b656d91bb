"""Classes that hold one number: their objects are read as the number. Pure."""

from collections.abc import Callable, Mapping
from typing import Final

from adapter.jmx.records import Single

__all__ = ["BOXES"]

BOXES: Final[Mapping[str, Callable[[object], object]]] = {
    "java.lang.Boolean": bool,
    "java.lang.Byte": lambda value: value,
    "java.lang.Short": lambda value: value,
    "java.lang.Integer": lambda value: value,
    "java.lang.Long": lambda value: value,
    "java.lang.Double": lambda value: value,
    "java.util.concurrent.atomic.AtomicInteger": lambda value: value,
    "java.util.concurrent.atomic.AtomicLong": lambda value: value,
    "java.lang.Float": lambda value: Single(value) if isinstance(value, float) else value,
}
