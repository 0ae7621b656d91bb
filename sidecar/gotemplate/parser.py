"""Parses one text into trees: its own and one for each template defined in it. Pure.

The messages and their lines are Go's: the line is that of the furthest token read.
"""

from collections.abc import Callable, Collection
from typing import Final

from sidecar.golang.quoting import quoted
from sidecar.gotemplate.failures import LimitExceeded
from sidecar.gotemplate.lexer import Lexer
from sidecar.gotemplate.nodes import (
    ActionNode,
    BranchNode,
    BreakNode,
    CommentNode,
    ContinueNode,
    IfNode,
    ListNode,
    Node,
    PipeNode,
    RangeNode,
    TemplateNode,
    TextNode,
    WithNode,
)
from sidecar.gotemplate.operands import Operands
from sidecar.gotemplate.tokens import Kind, Token
from sidecar.gotemplate.trees import Tree, is_empty

__all__ = ["parse"]

_BRANCHES: Final[dict[Kind, type[BranchNode]]] = {
    Kind.IF: IfNode,
    Kind.WITH: WithNode,
    Kind.RANGE: RangeNode,
}
_CHAINED: Final = (Kind.IF, Kind.WITH)


def parse(
    name: str,
    text: str,
    functions: Collection[str],
    *,
    left: str = "",
    right: str = "",
    comments: bool = False,
    check_functions: bool = True,
    nesting: int = 100,
) -> dict[str, Tree]:
    """Return the trees of a text by name, its own last; TemplateError when it is malformed.

    ``nesting`` bounds how deep blocks and parentheses may stand in each other.
    """
    plain = frozenset(functions) & {"break", "continue"}
    lexer = Lexer(text, left, right, comments=comments, plain=plain)
    parser = _Parser(name, lexer, functions if check_functions else None, nesting)
    try:
        parser.run()
    except RecursionError:
        raise LimitExceeded(f"template: {name}:1: nested too deeply", name=name, line=1) from None
    return parser.trees


class _End(Node):
    def __str__(self) -> str:
        return "{{end}}"


class _Else(Node):
    def __str__(self) -> str:
        return "{{else}}"


class _Parser(Operands):
    def __init__(
        self,
        name: str,
        lexer: Lexer,
        functions: Collection[str] | None,
        nesting: int,
    ) -> None:
        super().__init__(name, lexer, functions, nesting)
        self.text = lexer.text
        self.trees: dict[str, Tree] = {}
        self.ranges = 0
        self.actions: dict[Kind, Callable[[Token], Node]] = {
            Kind.BLOCK: self._block,
            Kind.BREAK: self._jump,
            Kind.CONTINUE: self._jump,
            Kind.ELSE: self._else,
            Kind.END: self._end,
            Kind.TEMPLATE: self._template,
        }

    def run(self) -> None:
        root = ListNode(self.peek().pos)
        while self.peek().kind is not Kind.EOF:
            mark = self.at
            if self.next().kind is Kind.LEFT_DELIM and self.next_word().kind is Kind.DEFINE:
                self._definition()
                continue
            self.at = mark
            node = self._text_or_action()
            if isinstance(node, _End | _Else):
                self.fail(f"unexpected {node}")
            root.nodes.append(node)
        self._add(Tree(self.name, self.name, self.text, root))

    def _add(self, tree: Tree) -> None:
        """Keep a tree; an empty one never replaces another, two filled ones are a fault."""
        known = self.trees.get(tree.name)
        if known is None or is_empty(known.root.nodes):
            self.trees[tree.name] = tree
        elif not is_empty(tree.root.nodes):
            self.fail(f"template: multiple definition of template {quoted(tree.name)}")

    def _definition(self) -> None:
        token = self.next_word()
        if token.kind not in (Kind.STRING, Kind.RAW_STRING):
            self.unexpected(token, "define clause")
        name = self.text_of(token)
        self.expect(Kind.RIGHT_DELIM, "define clause")
        self._add(Tree(name, self.name, self.text, self._own_body("define clause")))

    def _own_body(self, context: str) -> ListNode:
        """Read up to ``end`` what knows no variable from outside and is in no range."""
        outer, self.variables = self.variables, ["$"]
        ranges, self.ranges = self.ranges, 0
        body, end = self._items()
        if isinstance(end, _Else):
            self.fail(f"unexpected {end} in {context}")
        self.variables = outer
        self.ranges = ranges
        return body

    def _items(self) -> tuple[ListNode, Node]:
        """Read up to ``end`` or ``else``, which is returned too."""
        self.deeper()
        items = ListNode(self.peek_word().pos)
        while True:
            if self.peek_word().kind is Kind.EOF:
                self.fail("unexpected EOF")
            node = self._text_or_action()
            if isinstance(node, _End | _Else):
                self.nested -= 1
                return items, node
            items.nodes.append(node)

    def _text_or_action(self) -> Node:
        token = self.next_word()
        if token.kind is Kind.TEXT:
            return TextNode(token.pos, token.text)
        if token.kind is Kind.COMMENT:
            return CommentNode(token.pos, token.text)
        if token.kind is not Kind.LEFT_DELIM:
            self.unexpected(token, "input")
        self.action_line = token.line
        node = self._action()
        self.action_line = 0
        return node

    def _action(self) -> Node:
        token = self.next_word()
        branch = _BRANCHES.get(token.kind)
        if branch is not None:
            return self._branch(branch, token.kind)
        other = self.actions.get(token.kind)
        if other is not None:
            return other(token)
        self.back()
        first = self.peek()
        return ActionNode(first.pos, first.line, self.pipeline("command", Kind.RIGHT_DELIM))

    def _jump(self, token: Token) -> Node:
        shown = "{{" + token.text + "}}"
        after = self.next_word()
        if after.kind is not Kind.RIGHT_DELIM:
            self.unexpected(after, shown)
        if not self.ranges:
            self.fail(f"{shown} outside {{{{range}}}}")
        node = BreakNode if token.kind is Kind.BREAK else ContinueNode
        return node(token.pos, token.line)

    def _end(self, _token: Token) -> Node:
        return _End(self.expect(Kind.RIGHT_DELIM, "end").pos)

    def _else(self, _token: Token) -> Node:
        token = self.peek_word()
        if token.kind not in _CHAINED:
            token = self.expect(Kind.RIGHT_DELIM, "else")
        return _Else(token.pos)

    def _branch(self, branch: type[BranchNode], kind: Kind) -> BranchNode:
        """Read a statement with its ``else if`` chain, which nests in Go but not here."""
        known = len(self.variables)
        links: list[tuple[PipeNode, ListNode, int]] = []
        otherwise: ListNode | None = None
        while True:
            pipe = self.pipeline(branch.word, Kind.RIGHT_DELIM)
            self.ranges += branch is RangeNode
            body, end = self._items()
            self.ranges -= branch is RangeNode
            links.append((pipe, body, end.pos))
            if isinstance(end, _End):
                break
            if kind in _CHAINED and self.peek().kind is kind:
                self.next()
                continue
            otherwise, end = self._items()
            if isinstance(end, _Else):
                self.fail(f"expected end; found {end}")
            break
        del self.variables[known:]
        return _linked(branch, links, otherwise)

    def _block(self, _token: Token) -> Node:
        token = self.next_word()
        name = self._template_name(token, "block clause")
        pipe = self.pipeline("block clause", Kind.RIGHT_DELIM)
        self._add(Tree(name, self.name, self.text, self._own_body("block clause")))
        return TemplateNode(token.pos, token.line, name, pipe)

    def _template(self, _token: Token) -> Node:
        token = self.next_word()
        name = self._template_name(token, "template clause")
        after = self.next_word()
        pipe = None
        if after.kind is not Kind.RIGHT_DELIM:
            self.back()
            pipe = self.pipeline("template clause", Kind.RIGHT_DELIM)
        return TemplateNode(token.pos, token.line, name, pipe)

    def _template_name(self, token: Token, context: str) -> str:
        if token.kind not in (Kind.STRING, Kind.RAW_STRING):
            self.unexpected(token, context)
        return self.text_of(token)


def _linked(
    branch: type[BranchNode],
    links: list[tuple[PipeNode, ListNode, int]],
    otherwise: ListNode | None,
) -> BranchNode:
    """Return the chain as nested nodes, the last link innermost."""
    pipe, body, _ = links[-1]
    node = branch(pipe.pos, pipe.line, pipe, body, otherwise)
    for pipe, body, pos in reversed(links[:-1]):
        node = branch(pipe.pos, pipe.line, pipe, body, ListNode(pos, [node]))
    return node
