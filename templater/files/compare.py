"""How a file that is there differs from the one that should be. Pure.

confd's rule: a missing file is changed; otherwise owner, group, mode or content must differ.
"""

from typing import NamedTuple

__all__ = ["Look", "differences"]


class Look(NamedTuple):
    """What is compared of a file; ``digest`` is the MD5 of its content in hexadecimal."""

    uid: int
    gid: int
    mode: int
    size: int
    digest: str


def differences(path: str, have: Look | None, want: Look) -> tuple[str, ...]:
    """Return one line for each difference, none when the file is as it should be."""
    if have is None:
        return (f"{path} does not exist",)
    lines = []
    if have.uid != want.uid:
        lines.append(f"{path} has UID {have.uid} should be {want.uid}")
    if have.gid != want.gid:
        lines.append(f"{path} has GID {have.gid} should be {want.gid}")
    if have.mode != want.mode:
        lines.append(f"{path} has mode {_shown(have.mode)} should be {_shown(want.mode)}")
    if (have.size, have.digest) != (want.size, want.digest):
        lines.append(f"{path} has md5sum {have.digest} should be {want.digest}")
    return tuple(lines)


def _shown(mode: int) -> str:
    """Return mode bits as Go's ``FileMode`` prints those of a file."""
    special = "".join(
        char for char, bit in (("u", 0o4000), ("g", 0o2000), ("t", 0o1000)) if mode & bit
    )
    rights = "".join(char if mode >> (8 - at) & 1 else "-" for at, char in enumerate("rwxrwxrwx"))
    return (special or "-") + rights
