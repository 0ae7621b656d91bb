"""What templates are parsed to: ``pos`` is where messages place a node, ``str`` shows it. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from sidecar.golang.quoting import quoted
from sidecar.gotemplate.numbers import Number

__all__ = [
    "ActionNode",
    "BoolNode",
    "BranchNode",
    "BreakNode",
    "ChainNode",
    "CommandNode",
    "CommentNode",
    "ContinueNode",
    "DotNode",
    "FieldNode",
    "IdentifierNode",
    "IfNode",
    "ListNode",
    "NilNode",
    "Node",
    "NumberNode",
    "PipeNode",
    "RangeNode",
    "StringNode",
    "TemplateNode",
    "TextNode",
    "VariableNode",
    "WithNode",
]

TextFormat = Callable[[str], str]


@dataclass(slots=True, eq=False)
class Node:
    """One node; pos counts characters from the start of the text."""

    pos: int

    def show(self, _text: TextFormat = str) -> str:
        """Return the node's source; plain text in it goes through the argument."""
        return str(self)

    def __str__(self) -> str:
        """Return the node as messages show it."""
        return self.show()


@dataclass(slots=True, eq=False)
class TextNode(Node):
    """Plain text."""

    text: str

    def show(self, text: TextFormat = str) -> str:
        """Return the text."""
        return text(self.text)


@dataclass(slots=True, eq=False)
class CommentNode(Node):
    """A comment, kept on demand only."""

    text: str

    def __str__(self) -> str:
        """Return the comment as an action."""
        return "{{" + self.text + "}}"


@dataclass(slots=True, eq=False)
class ListNode(Node):
    """Nodes one after the other."""

    nodes: list[Node] = field(default_factory=list)

    def show(self, text: TextFormat = str) -> str:
        """Return all nodes' source."""
        return "".join(node.show(text) for node in self.nodes)


@dataclass(slots=True, eq=False)
class IdentifierNode(Node):
    """A function's name."""

    name: str

    def __str__(self) -> str:
        """Return the name."""
        return self.name


@dataclass(slots=True, eq=False)
class VariableNode(Node):
    """A variable with the fields taken from it: ``$x.A.B``."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        """Return the dotted names."""
        return ".".join(self.names)


@dataclass(slots=True, eq=False)
class DotNode(Node):
    """The cursor."""

    def __str__(self) -> str:
        """Return a dot."""
        return "."


@dataclass(slots=True, eq=False)
class NilNode(Node):
    """The constant nil."""

    def __str__(self) -> str:
        """Return the word."""
        return "nil"


@dataclass(slots=True, eq=False)
class FieldNode(Node):
    """Fields taken from the cursor: ``.A.B``."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        """Return the fields, each behind a dot."""
        return "".join("." + name for name in self.names)


@dataclass(slots=True, eq=False)
class ChainNode(Node):
    """Fields taken from a pipeline or a function's result: ``(pipeline).A``."""

    node: "PipeNode | IdentifierNode"
    names: tuple[str, ...]

    def show(self, text: TextFormat = str) -> str:
        """Return the term and the fields."""
        return _operand(self.node, text) + "".join("." + name for name in self.names)


@dataclass(slots=True, eq=False)
class BoolNode(Node):
    """The constant true or false."""

    value: bool

    def __str__(self) -> str:
        """Return the word."""
        return "true" if self.value else "false"


@dataclass(slots=True, eq=False)
class NumberNode(Node):
    """A number."""

    number: Number

    def __str__(self) -> str:
        """Return the number as it was written."""
        return self.number.text


@dataclass(slots=True, eq=False)
class StringNode(Node):
    """A quoted string."""

    literal: str
    text: str

    def __str__(self) -> str:
        """Return the string as it was written."""
        return self.literal


@dataclass(slots=True, eq=False)
class CommandNode(Node):
    """An operand with its arguments."""

    args: list[Node] = field(default_factory=list)

    def show(self, text: TextFormat = str) -> str:
        """Return the operands, pipelines in parentheses."""
        return " ".join(_operand(arg, text) for arg in self.args)


@dataclass(slots=True, eq=False)
class PipeNode(Node):
    """Commands, each fed the value before it, and the variables set by the last."""

    line: int
    variables: list[VariableNode] = field(default_factory=list)
    commands: list[CommandNode] = field(default_factory=list)
    assigns: bool = False

    def show(self, text: TextFormat = str) -> str:
        """Return the pipeline without delimiters."""
        declared = ", ".join(str(variable) for variable in self.variables)
        sign = (" = " if self.assigns else " := ") if declared else ""
        return declared + sign + " | ".join(command.show(text) for command in self.commands)


def _operand(node: Node, text: TextFormat) -> str:
    return f"({node.show(text)})" if isinstance(node, PipeNode) else node.show(text)


@dataclass(slots=True, eq=False)
class ActionNode(Node):
    """A pipeline whose value is printed unless it sets a variable."""

    line: int
    pipe: PipeNode

    def show(self, text: TextFormat = str) -> str:
        """Return the action."""
        return "{{" + self.pipe.show(text) + "}}"


@dataclass(slots=True, eq=False)
class BranchNode(Node):
    """What if, range and with have in common."""

    word: ClassVar[str]
    line: int
    pipe: PipeNode
    body: ListNode
    otherwise: ListNode | None

    def show(self, text: TextFormat = str) -> str:
        """Return the whole statement."""
        rest = "" if self.otherwise is None else "{{else}}" + self.otherwise.show(text)
        head = "{{" + self.word + " " + self.pipe.show(text) + "}}"
        return head + self.body.show(text) + rest + "{{end}}"


class IfNode(BranchNode):
    """``if``."""

    __slots__ = ()
    word = "if"


class RangeNode(BranchNode):
    """``range``."""

    __slots__ = ()
    word = "range"


class WithNode(BranchNode):
    """``with``."""

    __slots__ = ()
    word = "with"


@dataclass(slots=True, eq=False)
class BreakNode(Node):
    """``break``."""

    line: int

    def __str__(self) -> str:
        """Return the action."""
        return "{{break}}"


@dataclass(slots=True, eq=False)
class ContinueNode(Node):
    """``continue``."""

    line: int

    def __str__(self) -> str:
        """Return the action."""
        return "{{continue}}"


@dataclass(slots=True, eq=False)
class TemplateNode(Node):
    """A call of another template."""

    line: int
    name: str
    pipe: PipeNode | None

    def show(self, text: TextFormat = str) -> str:
        """Return the action."""
        given = "" if self.pipe is None else " " + self.pipe.show(text)
        return "{{template " + quoted(self.name) + given + "}}"
