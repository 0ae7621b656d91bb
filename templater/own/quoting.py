"""Quoting for the target: the text that the target's own rules read back as the value. Pure.

One value is one word, one string or one literal there, never a word more, never another line.
What a target cannot hold at all raises RenderError. Read in the targets' manuals: HAProxy 2.6
section 2.2, nginx's ngx_conf_file.c (facts of its reader), POSIX shell section 2.2, RFC 8259,
YAML 1.1 section 5.7.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from sidecar.errors import RenderError
from templater.functions.bounds import bounded
from templater.names import shown
from templater.own.values import UNSAFE, Suspect, text_of

__all__ = ["QUOTING", "haproxy", "nginx", "quoted_json", "quoted_yaml", "regex", "shell"]

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/@+,=-]+", re.ASCII)
_YAML_ESCAPED: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
V = TypeVar("V")
_LONGEST_KEY: Final = 1000  # YAML 1.1 section 9.3: a key without a mark is at most 1024 long


def haproxy(value: object, *, format: bool = False) -> str:  # noqa: A002  (the filter's argument)
    """Return one word of HAProxy's configuration; ``format``: of a log-format, % is doubled."""
    if type(value) is str and _PLAIN.fullmatch(value):
        return value
    text = _without_controls(value, "HAProxy")
    if format:
        text = text.replace("%", "%%")
    return text if _PLAIN.fullmatch(text) else "'" + text.replace("'", r"'\''") + "'"


def nginx(value: object) -> str:
    """Return one word of nginx's configuration; $ begins a variable there and has no escape."""
    text = _without_controls(value, "nginx")
    if "$" in text:
        raise RenderError(f"nginx cannot hold a $ in {shown(text)}")
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def shell(value: object) -> str:
    """Return one word of a POSIX shell."""
    text = text_of(value)
    if "\0" in text:
        raise RenderError(f"a shell cannot hold a NUL in {shown(text)}")
    _encodable(text)
    return text if _PLAIN.fullmatch(text) and text[0] not in "=-" else _single(text)


def regex(value: object) -> str:
    """Return a regular expression (PCRE, POSIX extended, Python) that matches this text only."""
    text = text_of(value)
    _encodable(text)
    if found := re.search("[\x85\u2028\u2029]", text):
        raise RenderError(f"U+{ord(found[0]):04X} in {shown(text)} may not stand in an expression")
    return re.sub(r"[^\w\x80-\U0010ffff]|[\x00-\x1f\x7f]", _escaped, text)


def quoted_json(value: object) -> str:
    """Return JSON in ASCII, of a text, number, list or mapping."""
    return json.dumps(_plain(_whole(value)), ensure_ascii=True, allow_nan=False)


def quoted_yaml(value: object) -> str:
    """Return YAML on one line: the same as JSON but for what only YAML must escape."""
    plain = _plain(_whole(value))
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False)
    return _YAML_ESCAPED.sub(
        lambda found: f"\\x{ord(found[0]):02x}" if found[0] < "\xff" else f"\\u{ord(found[0]):04x}",
        text,
    )


QUOTING: Final[Mapping[str, Any]] = {
    "haproxy": haproxy,
    "json": quoted_json,
    "nginx": nginx,
    "regex": regex,
    "shell": shell,
    "yaml": quoted_yaml,
}
"""The filters by their names."""


def _single(text: str) -> str:
    return "'" + text.replace("'", "'\"'\"'") + "'"


def _escaped(found: re.Match[str]) -> str:
    char = found[0]
    return f"\\x{ord(char):02x}" if char < " " or char == "\x7f" else f"\\{char}"


def _without_controls(value: object, target: str) -> str:
    text = text_of(value)
    if found := UNSAFE.search(text):
        where = "" if not isinstance(value, Suspect) else f" ({_why(value)})"
        raise RenderError(
            f"{target} cannot hold the character U+{ord(found[0]):04X} in {shown(text)}{where}"
        )
    return text


def _why(value: Suspect) -> str:
    try:
        return str(value)
    except RenderError as error:
        return str(error)


def _encodable(text: str) -> None:
    if found := re.search("[\ud800-\udfff]", text):
        raise RenderError(f"U+{ord(found[0]):04X} in {shown(text)} is no character")


def _whole(value: V) -> V:
    try:
        return bounded(value)
    except ValueError as error:
        raise RenderError(str(error)) from error


def _plain(value: object, depth: int = 20) -> object:
    """Return what is suspect as text, which JSON and YAML hold safely."""
    if depth == 0:
        raise RenderError("nested too deeply to be quoted")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Suspect):
        return text_of(value)
    if isinstance(value, Mapping):
        return {_key(key): _plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth - 1) for item in value]
    raise RenderError(f"a {type(value).__name__} cannot be quoted")


def _key(key: object) -> str:
    text = text_of(key)
    if len(text) > _LONGEST_KEY:
        raise RenderError(f"{shown(text)} is too long for a key")
    return text
