"""Boolean filters over what the API answers (``?filter=``): check once, then ask per entry. Pure.

``compile_filter`` finds every mistake before the first entry is looked at: a selector that the
endpoint does not have, an operator its kind does not take, a value that is not a number, a bad
pattern. Recorded from Consul 1.8.7, with its oddity: of a map key that an entry does not have,
``!=``, ``not in``, ``matches`` *and* ``not matches`` are all true.

A field the answer leaves out counts as its zero value. (Consul ends the connection when a filter
on agent/services asks for Proxy or Connect of a service that has none.)
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sidecar.catalog.automaton import Automaton, Budget, TooExpensive, TooLarge
from sidecar.catalog.expression import parse
from sidecar.catalog.fields import Field, Kind, ListOf, MapOf, Struct
from sidecar.catalog.pattern import PatternError, parse_pattern
from sidecar.catalog.tree import All, Expression, FilterError, Match, No, Operator
from sidecar.golang.quoting import quoted
from sidecar.golang.reading import integer, truth

__all__ = ["Filter", "FilterError", "compile_filter"]

_STEPS: Final = 1_000_000  # about a third of a second of matching
_MAX_TEXT: Final = 8192

Asked = Callable[[object], bool]

_EQUALITY: Final = frozenset({Operator.EQUAL, Operator.NOT_EQUAL})
_MEMBERSHIP: Final = frozenset({Operator.IN, Operator.NOT_IN})
_EMPTINESS: Final = frozenset({Operator.IS_EMPTY, Operator.IS_NOT_EMPTY})
_MATCHING: Final = frozenset({Operator.MATCHES, Operator.NOT_MATCHES})
_UNTRUE_WITHOUT_KEY: Final = frozenset({Operator.EQUAL, Operator.IN})
_NEGATED: Final = frozenset(
    {Operator.NOT_EQUAL, Operator.NOT_IN, Operator.IS_NOT_EMPTY, Operator.NOT_MATCHES}
)


class Filter:
    """A checked expression; callable on one entry of an answer."""

    def __init__(self, asked: Asked) -> None:
        """Wrap what ``compile_filter`` built."""
        self._asked = asked

    def __call__(self, entry: object) -> bool:
        """Return whether the entry passes. Raises FilterError when patterns cost too much."""
        try:
            return self._asked(entry)
        except TooExpensive:
            raise FilterError("the regular expressions take too long") from None


def compile_filter(text: str, fields: Struct) -> Filter:
    """Return the filter of an expression; an empty one lets everything pass.

    Raises FilterError and nothing else. The work all patterns of one filter may do is bounded, so
    compile a filter per request.
    """
    if not text:
        return Filter(lambda _: True)
    return Filter(_Compiler(fields).asked(parse(text)))


class _Compiler:
    def __init__(self, fields: Struct) -> None:
        self._fields = fields
        self._budget = Budget(_STEPS)

    def asked(self, expression: Expression) -> Asked:
        match expression:
            case Match():
                return self._match(expression)
            case No(operand):
                inner = self.asked(operand)
                return lambda entry: not inner(entry)
            case All(operands):
                every = [self.asked(operand) for operand in operands]
                return lambda entry: all(part(entry) for part in every)
        some = [self.asked(operand) for operand in expression.operands]
        return lambda entry: any(part(entry) for part in some)

    def _match(self, match: Match) -> Asked:
        field = _field_at(self._fields, match.selector)
        if match.operator not in _operators(field):
            raise FilterError(
                f"Invalid match operator {quoted(match.operator)} "
                f"for selector {quoted('.'.join(match.selector))}"
            )
        positive = self._positive(match, field)
        last: Asked = positive
        if match.operator in _NEGATED:
            last = lambda value: not positive(value)  # noqa: E731
        return _reaching(self._fields, match.selector, match.operator, last)

    def _positive(self, match: Match, field: Field) -> Asked:
        if match.operator in _EMPTINESS:
            return lambda value: not value
        if match.operator in _MEMBERSHIP:
            wanted = match.value
            if field is Kind.TEXT:
                return lambda value: wanted in _text(value)
            return lambda value: isinstance(value, (Mapping, Sequence)) and wanted in value
        if match.operator in _MATCHING:
            return self._pattern(match.value)
        return _equality(match, field)

    def _pattern(self, pattern: str) -> Asked:
        try:
            automaton = Automaton(parse_pattern(pattern))
        except (PatternError, TooLarge) as error:
            what = str(error) or "error parsing regexp: expression is too large"
            what = f"Failed to compile regular expression {quoted(pattern)}: {what}"
            raise FilterError(what) from None
        budget = self._budget
        return lambda value: automaton.search(_text(value)[:_MAX_TEXT], budget)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _equality(match: Match, field: Field) -> Asked:
    wanted: str | int | bool
    zero: str | int | bool
    try:
        if field is Kind.INTEGER:
            wanted, zero = integer(match.value), 0
        elif field is Kind.TRUTH:
            wanted, zero = truth(match.value), False
        else:
            wanted, zero = match.value, ""
    except ValueError as error:
        raise FilterError(
            f"Failed to coerce value {quoted(match.value)} "
            f"for selector {quoted('.'.join(match.selector))}: {error}"
        ) from None
    return lambda value: (zero if value is None else value) == wanted


def _field_at(fields: Struct, path: Sequence[str]) -> Field:
    field: Field = fields
    for at, name in enumerate(path, 1):
        if isinstance(field, ListOf):
            field = field.of
        if isinstance(field, MapOf):
            field = field.of
        elif isinstance(field, Struct) and name in field.fields:
            field = field.fields[name]
        else:
            raise FilterError(f"Selector {quoted('.'.join(path[:at]))} is not valid")
    return field


def _operators(field: Field) -> frozenset[Operator]:
    if field is Kind.TEXT:
        return _EQUALITY | _MEMBERSHIP | _MATCHING
    if field is Kind.INTEGER or field is Kind.TRUTH:
        return _EQUALITY
    if field is Kind.TEXTS or isinstance(field, MapOf):
        return _MEMBERSHIP | _EMPTINESS
    return _EMPTINESS if isinstance(field, ListOf) else frozenset()


def _reaching(field: Field, path: Sequence[str], operator: Operator, last: Asked) -> Asked:
    """Return what walks from an entry along the path and asks ``last`` at its end."""
    if not path:
        return last
    if isinstance(field, ListOf):
        each = _reaching(field.of, path, operator, last)
        return lambda value: isinstance(value, Sequence) and any(each(one) for one in value)
    name = path[0]
    if isinstance(field, MapOf):
        inner = _reaching(field.of, path[1:], operator, last)
        absent = operator not in _UNTRUE_WITHOUT_KEY

        def ask_key(value: object) -> bool:
            return inner(value[name]) if isinstance(value, Mapping) and name in value else absent

        return ask_key
    assert isinstance(field, Struct)  # noqa: S101 - the path was checked
    inner = _reaching(field.fields[name], path[1:], operator, last)
    return lambda value: inner(value.get(name) if isinstance(value, Mapping) else None)
