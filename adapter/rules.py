"""What the files of several adapters have in common: patterns and labels. Pure."""

import re
from typing import Final

from adapter.documents import Node
from sidecar.catalog.regex import Regex

__all__ = ["METRIC_NAME", "labels_at", "regex_at"]

METRIC_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


def regex_at(node: Node, steps: int) -> Regex | None:
    """Return a regular expression; ``steps`` bounds the work on one text."""
    try:
        return Regex(node.text(), steps)
    except ValueError as error:
        node.wrong(f"invalid regex: {error}")
        return None


def labels_at(node: Node) -> tuple[tuple[str, str], ...]:
    """Return labels and their texts; names that begin with two underscores are Prometheus' own."""
    found = []
    for label, value in node.items():
        if not _LABEL.fullmatch(label) or label.startswith("__"):
            value.wrong(f"{label!r} cannot be the name of a label")
        found.append((label, value.text()))
    return tuple(found)
