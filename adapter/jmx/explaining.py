"""What patterns see of a JVM, for those who write rules: ``--dump`` and ``--explain``."""

from collections.abc import Iterator
from dataclasses import replace

from adapter.jmx.config_places import parse_place
from adapter.jmx.rules import Rule
from adapter.jmx.settings import Settings, Target
from adapter.jmx.target import Probe
from sidecar.errors import ConfigError
from sidecar.runtime.clock import SystemClock
from sidecar.runtime.log import escape

__all__ = ["explained"]


def explained(settings: Settings, where: str, *, with_rules: bool) -> Iterator[str]:
    """Yield a line per value; with rules, a tab and what becomes of it.

    ``where`` is a target of the file by name or address, or any other JVM, which is then read
    with what stands at the top of the file. Raises PinnaceError.
    """
    target = _target(settings, where)
    if not with_rules:
        # A rule with a value makes texts worth reading: people want to see those too.
        target = replace(target, rules=(Rule(),), shows_texts=True)
    probe = Probe(target, SystemClock())
    for line in probe.explain():
        text, _, recipe = line.partition("\t")
        yield escape(text) + (f"\t{escape(recipe)}" if with_rules else "")


def _target(settings: Settings, where: str) -> Target:
    for target in settings.targets:
        if where in {target.name, str(target.place)}:
            return target
    if settings.template is None:
        raise ConfigError([f"{where}: there is no such target"])
    try:
        return replace(settings.template, name=where, place=parse_place(where))
    except ValueError as error:
        raise ConfigError([str(error)]) from error
