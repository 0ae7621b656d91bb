"""A file that is kept. Pure."""

from dataclasses import dataclass

__all__ = ["Target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where it is and what it looks like, and how soon changes count."""

    name: str
    """What messages call it."""
    dest: str
    mode: int | None = None
    uid: int = -1
    gid: int = -1
    owner: str = ""
    group: str = ""
    min_reload_interval: float = 0.0
    debounce: float = 0.0
