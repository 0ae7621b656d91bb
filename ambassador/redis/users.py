"""Users and passwords in a file of Redis' own form (``aclfile``). Pure.

Only who may log in is taken from it: what a user may do is for the servers, which see one user for
all. A rule that would take something away is a mistake here, as nobody would keep it.
"""

import re
from typing import Final

__all__ = ["users_in"]

_ALL: Final = frozenset({
    "~*", "&*", "+@all", "allkeys", "allchannels", "allcommands", "sanitize-payload",
    "skip-sanitize-payload", "resetchannels", "-@all", "resetkeys", "reset", "clearselectors",
})  # fmt: skip
_DIGEST: Final = re.compile(r"#[0-9a-f]{64}")


def users_in(text: str) -> tuple[tuple[str, str], ...]:
    """Return names with ``>PASSWORD`` or ``#SHA256``. Raises ValueError with the line."""
    found: list[tuple[str, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if words[0] != "user" or len(words) < 3:
            raise ValueError(f"{number}: write: user NAME on >PASSWORD")
        found += [(words[1], secret) for secret in _secrets(words[2:], number)]
    return tuple(found)


def _secrets(rules: list[str], number: int) -> list[str]:
    """Return what a user may log in with; none while it is off."""
    secrets: list[str] = []
    is_on = False
    for rule in rules:
        if rule in {"on", "off"}:
            is_on = rule == "on"
        elif rule.startswith(">") or _DIGEST.fullmatch(rule):
            secrets.append(rule)
        elif rule not in _ALL:
            raise ValueError(f"{number}: {rule!r} is not kept here; the servers have rules")
    return secrets if is_on else []
