"""One template: executed on what is known, and what that says about what to watch. Pure.

An execution with a missing answer has no text: nothing may be written then. Which templates use
which answers is kept by ``Interest``, so a new answer executes only those that use it.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from sidecar.gotemplate.failures import TemplateError
from sidecar.gotemplate.run import Limits
from sidecar.gotemplate.template import Template, compile_template
from templater.consul_template.arithmetic import ARITHMETIC
from templater.consul_template.data import Functions, Knowledge, Reading, data_functions
from templater.consul_template.helpers import HELPERS, Scratch
from templater.consul_template.lists import LISTS
from templater.consul_template.queries import Query
from templater.functions.sprig_data import SPRIG

__all__ = ["Document", "Interest", "RenderRules", "Rendered"]

_DEEPEST: Final = 50
_LIMITS: Final = Limits()
_STATIC: Final[Mapping[str, Any]] = {
    **{f"sprig_{name}": call for name, call in SPRIG.items()},
    **ARITHMETIC,
    **HELPERS,
    **LISTS,
}
_DENIED: Final = "function is disabled"


def _no_check(_: str) -> None:
    """Allow every path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderRules:
    """How one template is read and what it may do."""

    left: str = "{{"
    right: str = "}}"
    fails_on_missing: bool = False
    denied: tuple[str, ...] = ()
    """Names of functions, ``*`` for any letters, that are disabled."""
    world: Functions = field(default_factory=dict)
    """Functions that ask the machine."""
    check_path: Callable[[str], None] = _no_check
    destination: str = ""
    """The template's file, where a certificate of Vault is taken again."""
    limits: Limits = _LIMITS


@dataclass(frozen=True, slots=True)
class Rendered:
    """What came of an execution: ``text`` is None when an answer is missing or it failed.

    An error while an answer is missing may come of the empty value that stood for it.
    """

    text: str | None
    used: frozenset[Query]
    missing: frozenset[Query]
    error: str = ""


class Document:
    """A compiled template, bound to what is known; executed by one caller at a time."""

    def __init__(self, text: str, knowledge: Knowledge, rules: RenderRules) -> None:
        """Compile. Raises TemplateError."""
        self._reading = Reading(knowledge)
        self._scratch = Scratch()
        self._depth = 0
        functions = {
            **_STATIC,
            **rules.world,
            **data_functions(self._reading, rules.check_path, rules.destination),
            "executeTemplate": self._execute_template,
            "scratch": lambda: self._scratch,
        }
        functions |= dict.fromkeys(_matching(functions, rules.denied), _deny)
        self._template: Template = compile_template(
            "", text, functions, left=rules.left, right=rules.right,
            missing="error" if rules.fails_on_missing else "zero", limits=rules.limits,
        )  # fmt: skip

    def execute(self) -> Rendered:
        """Return what the template makes of what is known now."""
        self._reading.begin()
        self._scratch = Scratch()
        self._depth = 0
        text: str | None = None
        error = ""
        try:
            text = self._template.execute(None)
        except TemplateError as failure:
            error = str(failure)
        reading = self._reading
        if reading.missing:
            text = None
        return Rendered(text, frozenset(reading.used), frozenset(reading.missing), error)

    def _execute_template(self, name: str, *data: object) -> str:
        if len(data) > 1:
            raise ValueError(
                "executeTemplate: wrong number of arguments, expected 1 or 2"
                f", but got {len(data) + 1}"
            )
        if self._depth >= _DEEPEST:
            raise ValueError(f"executeTemplate: nested more than {_DEEPEST} deep")
        self._depth += 1
        try:
            return self._template.named(name).execute(data[0] if data else None)
        finally:
            self._depth -= 1


def _deny(*_: object) -> NoReturn:
    raise PermissionError(_DENIED)


def _matching(names: Iterable[str], patterns: Sequence[str]) -> list[str]:
    expressions = [
        re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL) for pattern in patterns
    ]
    return [name for name in names if any(one.fullmatch(name) for one in expressions)]


class Interest:
    """Which templates (by number) use which answers."""

    def __init__(self) -> None:
        """Start without any."""
        self._used: dict[int, frozenset[Query]] = {}
        self._users: dict[Query, set[int]] = {}

    def note(self, user: int, used: frozenset[Query]) -> None:
        """Note what a template uses now."""
        before = self._used.get(user, frozenset())
        self._used[user] = used
        for query in used - before:
            self._users.setdefault(query, set()).add(user)
        for query in before - used:
            users = self._users[query]
            users.discard(user)
            if not users:
                del self._users[query]

    def of(self, user: int) -> frozenset[Query]:
        """Return what a template uses."""
        return self._used.get(user, frozenset())

    def concerned(self, queries: Iterable[Query]) -> set[int]:
        """Return the templates that use one of these."""
        return {user for query in queries for user in self._users.get(query, ())}

    def all(self) -> frozenset[Query]:
        """Return everything that is used."""
        return frozenset(self._users)
