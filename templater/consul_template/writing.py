"""Read configuration back to the text of a file (HCL). Pure."""

import json
import signal
from collections.abc import Iterator, Mapping
from typing import Any

from templater.consul_template.schema import Kind, Schema, Tree

__all__ = ["hcl_of"]


def hcl_of(tree: Tree, schema: Schema, margin: str = "") -> Iterator[str]:
    """Yield the lines of a file that says what a tree says: plain keys first, then blocks."""
    later: list[str] = []
    for name, value in tree.items():
        kind = schema[name]
        inner = kind if isinstance(kind, Mapping) else kind[1] if isinstance(kind, tuple) else {}
        if isinstance(value, dict):
            later += _block(name, value, inner or _WAIT, margin)
        elif isinstance(kind, tuple) and kind[0] is Kind.BLOCKS:
            for one in value:
                later += _block(name, one, inner, margin)
        else:
            yield f"{margin}{name} = {_text(kind, value)}"
    yield from later


_WAIT: Schema = {"max": Kind.DURATION, "min": Kind.DURATION}


def _block(name: str, tree: Tree, schema: Schema, margin: str) -> list[str]:
    return [f"{margin}{name} {{", *hcl_of(tree, schema, f"{margin}  "), f"{margin}}}"]


def _text(kind: object, value: Any) -> str:  # noqa: PLR0911  (a table, by kind)
    if kind is Kind.DURATION:
        return json.dumps(f"{value:.9f}".rstrip("0").rstrip(".") + "s")
    if kind is Kind.MODE:
        return json.dumps(f"{value:04o}")
    if kind is Kind.COMMAND and len(value) == 1:
        return _quoted(value[0])
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_quoted, value))}]"
    if isinstance(value, signal.Signals):
        return json.dumps(value.name)
    if value is None:
        return '""'
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
