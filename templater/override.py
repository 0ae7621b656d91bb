"""A user's own template in place of a shipped one. Pure.

What is compared is the model, never the text: a change of endpoints needs a reload with an own
template as little as without. Only another template does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["Data", "Override"]

Data = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Override:
    """A compiled template; two are equal when their texts are. ``render`` raises RenderError."""

    name: str
    digest: str
    render: Callable[[Data], str] = field(compare=False, repr=False)
