"""Parses what stands inside an action: pipelines, commands, operands. Pure."""

from collections.abc import Callable, Collection
from typing import Final, NoReturn

from sidecar.golang.quoting import quoted, unquoted
from sidecar.gotemplate.failures import LimitExceeded, TemplateError
from sidecar.gotemplate.lexer import Lexer
from sidecar.gotemplate.nodes import (
    BoolNode,
    ChainNode,
    CommandNode,
    DotNode,
    FieldNode,
    IdentifierNode,
    NilNode,
    Node,
    NumberNode,
    PipeNode,
    StringNode,
    VariableNode,
)
from sidecar.gotemplate.numbers import number
from sidecar.gotemplate.tokens import Kind, Token

__all__ = ["Operands"]

_OPERANDS: Final = frozenset(
    {
        Kind.BOOL,
        Kind.CHAR_CONSTANT,
        Kind.COMPLEX,
        Kind.DOT,
        Kind.FIELD,
        Kind.IDENTIFIER,
        Kind.NUMBER,
        Kind.NIL,
        Kind.RAW_STRING,
        Kind.STRING,
        Kind.VARIABLE,
        Kind.LEFT_PAREN,
    }
)
_NUMBERS: Final = frozenset({Kind.CHAR_CONSTANT, Kind.COMPLEX, Kind.NUMBER})
_SIMPLE: Final[dict[Kind, Callable[[Token], Node]]] = {
    Kind.DOT: lambda token: DotNode(token.pos),
    Kind.NIL: lambda token: NilNode(token.pos),
    Kind.FIELD: lambda token: FieldNode(token.pos, (token.text[1:],)),
    Kind.BOOL: lambda token: BoolNode(token.pos, token.text == "true"),
}
_LITERALS: Final = (BoolNode, StringNode, NumberNode, NilNode, DotNode)


class Operands:
    """Reads tokens one by one and puts them back by moving ``at``."""

    def __init__(
        self, name: str, lexer: Lexer, functions: Collection[str] | None, nesting: int
    ) -> None:
        """Take the text's name and tokens, the functions that exist (None: any)."""
        self.name = name
        self.lexer = lexer
        self.words = lexer.out
        self.functions = functions
        self.nesting = nesting
        self.nested = 0
        self.at = 0
        self.furthest = 0
        self.action_line = 0
        self.variables = ["$"]

    # --- tokens -------------------------------------------------------------------------------

    def next(self) -> Token:
        """Return the next token and move on; the last one is met again and again."""
        token = self.peek()
        self.at += 1
        return token

    def peek(self) -> Token:
        """Return the next token."""
        while self.at >= len(self.words) and self.lexer.more():
            pass
        at = min(self.at, len(self.words) - 1)
        self.furthest = max(self.furthest, at)
        return self.words[at]

    def next_word(self) -> Token:
        """Return the next token that is no space."""
        token = self.next()
        return self.next() if token.kind is Kind.SPACE else token

    def peek_word(self) -> Token:
        """Return the next token that is no space; spaces before it are gone."""
        if self.peek().kind is Kind.SPACE:
            self.next()
        return self.peek()

    def back(self) -> None:
        """Put back the token read last."""
        self.at -= 1

    def expect(self, kind: Kind, context: str) -> Token:
        """Return the next token, which must be of a kind."""
        token = self.next_word()
        if token.kind is not kind:
            self.unexpected(token, context)
        return token

    # --- faults -------------------------------------------------------------------------------

    def fail(self, text: str) -> NoReturn:
        """Raise at the furthest token read."""
        line = self.words[self.furthest].line
        raise TemplateError(f"template: {self.name}:{line}: {text}", name=self.name, line=line)

    def unexpected(self, token: Token, context: str) -> NoReturn:
        """Raise because of a token that cannot stand here."""
        if token.kind is not Kind.ERROR:
            self.fail(f"unexpected {token} in {context}")
        extra = ""
        if self.action_line and self.action_line != token.line:
            extra = f" in action started at {self.name}:{self.action_line}"
            if token.text.endswith(" action"):
                extra = extra.removeprefix(" in action")
        self.fail(f"{token}{extra}")

    def deeper(self) -> None:
        """Count one more level of blocks and parentheses."""
        self.nested += 1
        if self.nested > self.nesting:
            line = self.words[self.furthest].line
            text = f"template: {self.name}:{line}: nested too deeply"
            raise LimitExceeded(text, name=self.name, line=line)

    def text_of(self, token: Token) -> str:
        """Return what a string token means."""
        text = unquoted(token.text)
        if text is None:
            self.fail("invalid syntax")
        return text

    # --- pipelines ----------------------------------------------------------------------------

    def pipeline(self, context: str, end: Kind) -> PipeNode:
        """Read a pipeline and the token that ends it."""
        first = self.peek_word()
        pipe = PipeNode(first.pos, first.line)
        self._declarations(pipe, context)
        while True:
            token = self.next_word()
            if token.kind is end:
                self._check(pipe, context)
                return pipe
            if token.kind not in _OPERANDS:
                self.unexpected(token, context)
            self.back()
            pipe.commands.append(self._command())

    def _declarations(self, pipe: PipeNode, context: str) -> None:
        """Read ``$x :=``, ``$x =`` or, in a range, ``$i, $x :=``."""
        while self.peek_word().kind is Kind.VARIABLE:
            mark = self.at
            variable = self.next()
            after = self.next_word()
            comma = after.kind is Kind.CHAR and after.text == ","
            if not comma and after.kind not in (Kind.ASSIGN, Kind.DECLARE):
                self.at = mark
                return
            pipe.assigns = after.kind is Kind.ASSIGN
            pipe.variables.append(VariableNode(variable.pos, (variable.text,)))
            self.variables.append(variable.text)
            if not comma:
                return
            if context != "range" or len(pipe.variables) > 1:
                self.fail(f"too many declarations in {context}")
            if self.peek_word().kind not in (Kind.VARIABLE, Kind.RIGHT_DELIM, Kind.RIGHT_PAREN):
                self.fail("range can only initialize variables")

    def _check(self, pipe: PipeNode, context: str) -> None:
        if not pipe.commands:
            self.fail(f"missing value for {context}")
        for stage, command in enumerate(pipe.commands[1:], 2):
            if isinstance(command.args[0], _LITERALS):
                self.fail(f"non executable command in pipeline stage {stage}")

    def _command(self) -> CommandNode:
        command = CommandNode(self.peek_word().pos)
        while True:
            self.peek_word()
            operand = self._operand()
            if operand is not None:
                command.args.append(operand)
            token = self.next()
            if token.kind is Kind.SPACE:
                continue
            if token.kind in (Kind.RIGHT_DELIM, Kind.RIGHT_PAREN):
                self.back()
            elif token.kind is not Kind.PIPE:
                self.unexpected(token, "operand")
            break
        return command

    # --- operands -----------------------------------------------------------------------------

    def _operand(self) -> Node | None:
        node = self._term()
        if node is None or self.peek().kind is not Kind.FIELD:
            return node
        pos = self.peek().pos
        names: list[str] = []
        while self.peek().kind is Kind.FIELD:
            names.append(self.next().text[1:])
        # Go places a chain at its second field; the columns in messages depend on it.
        if isinstance(node, FieldNode):
            return FieldNode(pos, (*node.names, *names))
        if isinstance(node, VariableNode):
            return VariableNode(pos, (*node.names, *names))
        if not isinstance(node, IdentifierNode | PipeNode):
            self.fail(f"unexpected . after term {quoted(str(node))}")
        return ChainNode(pos, node, tuple(names))

    def _term(self) -> Node | None:
        token = self.next_word()
        simple = _SIMPLE.get(token.kind)
        if simple is not None:
            return simple(token)
        if token.kind is Kind.IDENTIFIER:
            if self.functions is not None and token.text not in self.functions:
                self.fail(f"function {quoted(token.text)} not defined")
            return IdentifierNode(token.pos, token.text)
        if token.kind is Kind.VARIABLE:
            return self._variable(token)
        if token.kind is Kind.LEFT_PAREN:
            self.deeper()
            pipe = self.pipeline("parenthesized pipeline", Kind.RIGHT_PAREN)
            self.nested -= 1
            return pipe
        return self._literal(token)

    def _literal(self, token: Token) -> Node | None:
        if token.kind in _NUMBERS:
            try:
                return NumberNode(token.pos, number(token.text, token.kind))
            except ValueError as fault:
                self.fail(str(fault))
        if token.kind in (Kind.STRING, Kind.RAW_STRING):
            return StringNode(token.pos, token.text, self.text_of(token))
        self.back()
        return None

    def _variable(self, token: Token) -> Node:
        if token.text not in self.variables:
            self.fail(f"undefined variable {quoted(token.text)}")
        return VariableNode(token.pos, (token.text,))
