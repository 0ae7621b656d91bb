"""A parsed template as a whole. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from sidecar.golang.quoting import encoded
from sidecar.gotemplate.nodes import CommentNode, ListNode, Node, TextNode

__all__ = ["Tree", "is_empty"]


@dataclass(slots=True, eq=False)
class Tree:
    """One template: its name, the file it stands in, that file's text, its nodes."""

    name: str
    file: str
    text: str
    root: ListNode

    def place(self, node: Node) -> tuple[int, int]:
        """Return the line, from 1, and the byte in it, from 0."""
        line = 1 + self.text.count("\n", 0, node.pos)
        start = self.text.rfind("\n", 0, node.pos) + 1
        return line, len(encoded(self.text[start : node.pos]))


def is_empty(nodes: Sequence[Node]) -> bool:
    """Tell whether nodes hold nothing but white space and comments."""
    return all(
        isinstance(node, CommentNode) or (isinstance(node, TextNode) and not node.text.strip())
        for node in nodes
    )
