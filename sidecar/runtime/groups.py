"""What is left of a process group. Reads /proc, so it blocks."""

from pathlib import Path

__all__ = ["has_members"]


def has_members(group: int) -> bool:
    """Say whether a process of this group is at work; one that has ended and waits to be reaped
    is not: in a container there may be nobody to do it.
    """
    return any(_is_member(path, group) for path in Path("/proc").glob("[0-9]*/stat"))


def _is_member(path: Path, group: int) -> bool:
    try:
        words = path.read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return False  # it has just ended
    return len(words) > 2 and words[0] not in {"Z", "X"} and int(words[2]) == group
