"""What is wrong with a container's labels, told once and never without bound. Pure."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from registrar.names import cleaned, cut
from sidecar.engine.facts import Container

__all__ = ["Complaints", "Problem", "quoted"]

_MOST: Final = 16


class Problem(NamedTuple):
    """Something in a container's labels that could not be taken as it is."""

    container: str
    label: str
    text: str


@dataclass(slots=True)
class Complaints:
    """The problems of one container."""

    container: Container
    problems: list[Problem] = field(default_factory=list)

    def __call__(self, label: str, text: str) -> None:
        """Add a problem with a label."""
        name = self.container.name or self.container.id[:12]
        problem = Problem(name, cut(label, 100), text)
        if problem not in self.problems[-_MOST:]:
            self.problems.append(problem)

    def bounded(self) -> tuple[Problem, ...]:
        """Return the first of them, and how many more there are."""
        distinct = tuple(dict.fromkeys(self.problems))
        if len(distinct) <= _MOST:
            return distinct
        more = distinct[0]._replace(label="*", text=f"{len(distinct) - _MOST} more problems")
        return (*distinct[:_MOST], more)


def quoted(text: str) -> str:
    """Return text of unknown length and content for a message."""
    return repr(cleaned(text[:60])) + ("..." if len(text) > 60 else "")
