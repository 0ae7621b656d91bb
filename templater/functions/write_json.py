"""Values to JSON text as Go's encoder writes it. Pure.

Maps are sorted by key, fields stay in order, ``<>&`` are escaped unless that is not wanted, and a
whole float has no fraction.
"""

import base64
import json
import re
from collections.abc import Callable
from typing import Final

from templater.functions.plain import Unsupported, float_text, plain

__all__ = ["write_json"]

_HTML: Final = re.compile(r"[<>&\u2028\u2029\ud800-\udfff]")
_OTHERS: Final = re.compile(r"[\u2028\u2029\ud800-\udfff]")
_TEN_TO_21: Final = 21


def write_json(value: object, indent: str = "", *, escapes_html: bool = True) -> str:
    """Return the text. Raises ValueError in Go's words."""
    try:
        whole = plain(value)
    except Unsupported as error:
        raise ValueError(f"json: {error}") from None
    pattern = _HTML if escapes_html else _OTHERS
    return _written(whole, indent, "", pattern)


def _written(value: object, indent: str, margin: str, escaped: re.Pattern[str]) -> str:
    inner = margin + indent

    def write(item: object) -> str:
        return _written(item, indent, inner, escaped)

    if isinstance(value, dict):
        return _enclosed("{}", _members(value, write, ": " if indent else ":"), indent, margin)
    if isinstance(value, list):
        return _enclosed("[]", [write(item) for item in value], indent, margin)
    return _scalar(value, escaped)


def _scalar(value: object, escaped: re.Pattern[str]) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return escaped.sub(_escape, json.dumps(value, ensure_ascii=False))
    if isinstance(value, bytes):
        return f'"{base64.b64encode(value).decode()}"'
    if isinstance(value, float):
        return _float(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _members(value: dict[object, object], write: Callable[[object], str], colon: str) -> list[str]:
    keys = list(value)
    if not all(isinstance(key, str | int) for key in keys):
        raise ValueError("json: unsupported type: map[interface {}]interface {}")
    return [f"{write(str(key))}{colon}{write(value[key])}" for key in keys]


def _enclosed(marks: str, items: list[str], indent: str, margin: str) -> str:
    if not items:
        return marks
    if not indent:
        return marks[0] + ",".join(items) + marks[1]
    inner = margin + indent
    return f"{marks[0]}\n{inner}" + f",\n{inner}".join(items) + f"\n{margin}{marks[1]}"


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return "\\ufffd" if 0xD800 <= code < 0xE000 else f"\\u{code:04x}"


def _float(value: float) -> str:
    if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124
        raise ValueError(f"json: unsupported value: {float_text(value, 0, 0)}")
    text = float_text(value, -6, _TEN_TO_21)
    mantissa, _, exponent = text.partition("e-")
    return f"{mantissa}e-{exponent.lstrip('0')}" if exponent else text
