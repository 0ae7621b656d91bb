"""Paths of keys, by the rules of Go's package ``path``, and confd's prefixes. Pure."""

import re
from functools import lru_cache

__all__ = ["base", "clean", "compiled", "directory", "full_prefix", "join", "key_in", "terms"]


def clean(path: str) -> str:
    """Return the shortest equal path: no ``.``, no ``..`` but leading ones, no double slash."""
    rooted = path.startswith("/")
    parts: list[str] = []
    for part in path.split("/"):
        if part in {"", "."}:
            continue
        if part != ".." or (not rooted and (not parts or parts[-1] == "..")):
            parts.append(part)
        elif parts:
            parts.pop()
    text = "/".join(parts)
    return f"/{text}" if rooted else text or "."


def join(*parts: str) -> str:
    """Return the parts with slashes between them, cleaned; empty parts do not count."""
    given = [part for part in parts if part]
    return clean("/".join(given)) if given else ""


def base(path: str) -> str:
    """Return the last part; ``.`` for the empty path, ``/`` for slashes only."""
    if not path:
        return "."
    return path.rstrip("/").rpartition("/")[2] or "/"


def directory(path: str) -> str:
    """Return all but the last part, cleaned."""
    return clean(path[: path.rfind("/") + 1])


def terms(path: str) -> list[str]:
    """Return the parts of the cleaned path, as confd's store compares them."""
    return clean(path).split("/")


def full_prefix(given: str, resource: str, *, is_joined: bool) -> str:
    """Return the prefix of a resource's keys, with a slash in front.

    The global one replaces the resource's (CONFD), or stands before it (FORK).
    """
    text = join("/", given, resource) if is_joined else given or resource
    return text if text.startswith("/") else f"/{text}"


def key_in(prefix: str, key: str) -> str:
    """Return a stored key as templates see it: without the prefix, absolute and clean."""
    return join("/", key.removeprefix(prefix))


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return the expression of a pattern of ``path.Match``. Raises ValueError.

    ``*`` and ``?`` stop at a slash, ``[a-z]`` and ``[^a]`` do not.
    """
    out, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        if char == "[":
            text, at = _class(pattern, at + 1)
            out += text
            continue
        if char == "\\":
            at += 1
            char = _at(pattern, at)
            out += re.escape(char)
        else:
            out += {"*": "[^/]*", "?": "[^/]"}.get(char) or re.escape(char)
        at += 1
    return re.compile(out, re.DOTALL)


def _class(pattern: str, at: int) -> tuple[str, int]:
    """Return the expression of a class, and where the pattern goes on."""
    negated = pattern[at : at + 1] == "^"
    at += negated
    ranges: list[tuple[str, str]] = []
    while not (ranges and _at(pattern, at) == "]"):
        low, at = _member(pattern, at)
        high = low
        if _at(pattern, at) == "-":
            high, at = _member(pattern, at + 1)
        ranges.append((low, high))
    # An empty range such as z-a matches nothing, and is no error.
    text = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in ranges if low <= high)
    if not text:
        return (".", at + 1) if negated else ("(?!)", at + 1)
    return f"[{'^' * negated}{text}]", at + 1


def _member(pattern: str, at: int) -> tuple[str, int]:
    char = _at(pattern, at)
    if char in "-]":
        raise ValueError("syntax error in pattern")
    if char == "\\":
        at += 1
        char = _at(pattern, at)
    return char, at + 1


def _at(pattern: str, at: int) -> str:
    if at >= len(pattern):
        raise ValueError("syntax error in pattern")
    return pattern[at]
