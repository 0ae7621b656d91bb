"""Java's replacement templates (``Matcher.replaceAll``): ``$1``, ``${name}``, ``\\$``. Pure."""

import re
from typing import NamedTuple

from adapter.jmx.javapattern import Matched

__all__ = ["Template", "template"]


class Template(NamedTuple):
    """A replacement: texts and the groups between them."""

    parts: tuple[str | int, ...]

    def of(self, match: Matched) -> str:
        """Return the text for a match; a group that took no part is empty."""
        return "".join(part if isinstance(part, str) else match[part] or "" for part in self.parts)


def template(text: str, pattern: re.Pattern[str]) -> Template:
    """Return what ``Matcher.replaceAll`` reads in a replacement. Raises ValueError."""
    parts: list[str | int] = []
    at, plain = 0, ""
    while at < len(text):
        char = text[at]
        if char == "\\":
            if at + 1 == len(text):
                raise ValueError("a backslash at the end stands for nothing")
            plain += text[at + 1]
            at += 2
        elif char == "$":
            group, at = _group(text, at + 1, pattern)
            parts += [plain, group]
            plain = ""
        else:
            plain += char
            at += 1
    return Template(tuple(part for part in (*parts, plain) if part != ""))


def _group(text: str, at: int, pattern: re.Pattern[str]) -> tuple[int, int]:
    if named := re.compile(r"\{([A-Za-z][A-Za-z0-9]*)\}").match(text, at):
        if named[1] not in pattern.groupindex:
            raise ValueError(f"the pattern has no group {named[1]!r}")
        return pattern.groupindex[named[1]], named.end()
    digit = text[at : at + 1]
    if not (digit.isascii() and digit.isdigit()):
        raise ValueError(f"a $ has to be followed by a group ({text!r}); write \\$ for a dollar")
    group = int(digit)
    if group > pattern.groups:
        raise ValueError(f"the pattern has no group {group}")
    at += 1
    while text[at : at + 1].isascii() and text[at : at + 1].isdigit():
        longer = group * 10 + int(text[at])
        if longer > pattern.groups:
            break
        group, at = longer, at + 1
    return group, at
