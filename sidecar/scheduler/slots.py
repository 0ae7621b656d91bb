"""A request per slot, made when it is asked for: most slots want nothing at a look. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from sidecar.scheduler.model import Request

__all__ = ["Slots", "filled", "like"]


class Slots(Mapping[str, Request]):
    """Slots by name, in their order."""

    def __init__(self, names: Iterable[str], request: Callable[[str], Request]) -> None:
        """``request`` returns that of a slot, the same for the same name."""
        self._names = dict.fromkeys(names)
        self._request = request

    def __getitem__(self, name: str) -> Request:
        """Return the request of a slot."""
        if name not in self._names:
            raise KeyError(name)
        return self._request(name)

    def __contains__(self, name: object) -> bool:
        """Return whether there is such a slot."""
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        """Go over the names."""
        return iter(self._names)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._names)


def like(pattern: Request, names: Iterable[str]) -> Slots:
    """Return slots that differ by their names only."""
    return Slots(names, lambda name: replace(pattern, slot=name))


def filled(known: Mapping[str, Request], names: Iterable[str]) -> Mapping[str, Request]:
    """Return these slots as they are known; others are like the first that is."""
    pattern = next(iter(known.values()), None)
    if pattern is None:
        return {}
    return Slots(names, lambda name: known[name] if name in known else replace(pattern, slot=name))
