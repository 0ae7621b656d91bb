"""What one side answered to a scenario. Pure."""

import json
from dataclasses import dataclass
from typing import Any

from tests.compat.consul.steps import Step

__all__ = ["Answer", "Exchange", "Recording"]


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, the headers compared, the body after decompression."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the decoded body, None when it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Exchange:
    """A step with its answer; ``settled`` is False when the catalogue never followed."""

    step: Step
    answer: Answer
    settled: bool = True


@dataclass(frozen=True, slots=True)
class Recording:
    """Everything one side answered, and that side's node name."""

    node: str
    exchanges: tuple[Exchange, ...]
