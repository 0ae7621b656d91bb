"""Values to TOML text as BurntSushi's encoder for Go writes it. Pure.

Keys are sorted; what is no table comes first, tables after it, each deeper one indented.
"""

import re
from typing import Any, Final

from templater.functions.plain import Unsupported, float_text, plain

__all__ = ["write_toml"]

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_NAMED: Final = {
    "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\",
}  # fmt: skip
_CONTROL: Final = re.compile(r'[\x00-\x1f"\\\x7f]')


def write_toml(value: object) -> str:
    """Return the text without white space at its ends. Raises ValueError."""
    try:
        whole = plain(value)
    except Unsupported as error:
        raise ValueError(f"toml: {error}") from None
    if not isinstance(whole, dict):
        raise ValueError("toml: top-level values must be Go maps or structs")  # noqa: TRY004
    out: list[str] = []
    _table(whole, (), out)
    return "".join(out).strip()


def _table(value: dict[object, object], path: tuple[str, ...], out: list[str]) -> None:
    margin = "  " * max(len(path) - 1, 0) + ("  " if path else "")
    tables: list[tuple[str, Any]] = []
    for key, inner in value.items():
        if inner is None:
            continue
        if not isinstance(key, str):
            raise ValueError("toml: cannot encode a map with non-string key type")  # noqa: TRY004
        if isinstance(inner, dict) or _is_tables(inner):
            tables.append((key, inner))
        else:
            out.append(f"{margin}{_key(key)} = {_value(inner)}\n")
    for key, inner in tables:
        deeper = (*path, _key(key))
        name = ".".join(deeper)
        many: list[dict[object, object]] = inner if isinstance(inner, list) else [inner]
        marks = ("[[", "]]") if isinstance(inner, list) else ("[", "]")
        for each in many:
            if out:
                out.append("\n" if not path or isinstance(inner, list) else "")
            out.append(f"{margin}{marks[0]}{name}{marks[1]}\n")
            _table(each, deeper, out)


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _key(text: str) -> str:
    return text if _BARE.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    def escape(found: re.Match[str]) -> str:
        return _NAMED.get(found[0]) or f"\\u{ord(found[0]):04x}"

    return f'"{_CONTROL.sub(escape, text)}"'


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        text = float_text(value, -400, 400)
        return text.lower() if set(text) & set(".NI") else f"{text}.0"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        there = {str(key): each for key, each in value.items() if each is not None}
        inner = ", ".join(f"{_key(key)} = {_value(each)}" for key, each in there.items())
        return f"{{{inner}}}"
    return _quoted(value if isinstance(value, str) else str(value))
