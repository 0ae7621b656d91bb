"""A stack file as a whole: variables, profiles, order. Pure: text in, stack and problems out."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from sidecar.scheduler.compose.document import Item, Place, Problems
from sidecar.scheduler.compose.keys import FILE, Class, class_of
from sidecar.scheduler.compose.loading import loaded
from sidecar.scheduler.compose.reader import Reader
from sidecar.scheduler.compose.service import service_of
from sidecar.scheduler.compose.setting import Read, setting_of
from sidecar.scheduler.pods import expanded
from sidecar.scheduler.recipe import remade, spec_of
from sidecar.scheduler.spec import Condition, Dependency, ServiceSpec, StackSpec

__all__ = ["stack_of"]

_DEFAULT: Final = "default"


def stack_of(
    text: str,
    file: str,
    problems: Problems,
    *,
    environ: Mapping[str, str] | None = None,
    name: str = "",
    folder: str = "",
    profiles: Collection[str] = (),
    classic: bool = False,
    base: str = "",
    read: Read | None = None,
    more: Sequence[tuple[str, str]] = (),
    is_made: bool = True,
) -> StackSpec:
    """Return the stack of a file; what is wrong with it is noted in ``problems``.

    Its name is ``name``, else what the file says, else its folder's. ``base`` is the absolute
    path where relative ones begin, ``read`` gives the files that it names; without ``read``
    services have no recipes. ``more`` are files (name and text) that change this one. What is
    not to be made (``is_made``) needs no recipes, nor the files that only those ask for.
    """
    files = [(file, text), *more]
    document = loaded(files, problems, environ=environ or {}, folder=base, read=read)
    if document is None:
        return StackSpec(name=name or _DEFAULT)
    top = Reader(document, "the file", problems)
    _classify(top)
    services = Reader(top.get("services"), "services", problems)
    if not services.item.map:
        place = top.item.place if top.item.place.line else Place(file, 1, 1)
        problems.error(place, "there are no services")
    whole, pods = expanded(services.item.map, problems)
    active = {
        each: item
        for each, item in whole.items()
        if _is_active(Reader(item, f"services.{each}", problems), profiles)
    }
    name = name or top.text("name") or folder or _DEFAULT
    setting = None
    if read is not None and is_made:
        setting = setting_of(top, name, folder=base, environ=environ, read=read)
    found = [
        service_of(each, item, problems, classic=classic, setting=setting)
        for each, item in active.items()
    ]
    found = [_implied(each, Reader(active[each.name], "", Problems()), active) for each in found]
    _check(found, active, problems, known=whole)
    return StackSpec(name=name, services=_after(_ordered(pods.settled(found))))


def _implied(service: ServiceSpec, item: Reader, known: Collection[str]) -> ServiceSpec:
    """Return a service that depends on what it is linked to or takes volumes from, too.

    Those must be on the same node: they are reached, or shared, there only.
    """
    names = [each.text.partition(":")[0] for each in item.texts("links")]
    names += [each.text.partition(":")[0] for each in item.texts("volumes_from")]
    names += [
        item.text(key).removeprefix("service:")
        for key in ("ipc", "pid")
        if item.text(key).startswith("service:")
    ]
    told = {service.name, service.pod, *(each.service for each in service.depends_on)}
    near = [name for name in dict.fromkeys(names) if name in known]
    more = [name for name in near if name not in told]
    return replace(
        service,
        depends_on=(*service.depends_on, *map(Dependency, more)),
        near=tuple(name for name in near if name != service.name),
    )


def _after(services: Iterable[ServiceSpec]) -> tuple[ServiceSpec, ...]:
    """Return services of which those with ``depends_on.restart`` change with what they need."""
    specs: dict[str, str] = {}
    found = []
    for each in services:
        names = [need.service for need in each.depends_on if need.restarts]
        after = {name: specs[name] for name in sorted(names) if name in specs}
        if after:
            each = replace(each, recipe=remade(each.recipe, after))  # noqa: PLW2901 - the same
        specs[each.name] = spec_of(each.recipe)
        found.append(each)
    return tuple(found)


def _classify(top: Reader) -> None:
    from sidecar.config.keys import suggestion  # noqa: PLC0415

    for key in top.item.map:
        place = top.item.place_of(key)
        kind = class_of(FILE, key)
        if key == "version":
            top.problems.warn(place, "version is obsolete and ignored")
        elif kind is Class.REFUSED:
            top.problems.error(place, f"{key} is not supported")
        elif kind is Class.UNKNOWN:
            top.problems.error(place, f"unknown key {key!r}{suggestion(key, FILE)}")


def _is_active(service: Reader, profiles: Collection[str]) -> bool:
    wanted = {each.text for each in service.texts("profiles")}
    return not wanted or bool(wanted & {*profiles}) or "*" in profiles


def _check(
    services: Iterable[ServiceSpec],
    items: Mapping[str, Item],
    problems: Problems,
    *,
    known: Collection[str],
) -> None:
    by_name = {service.name: service for service in services}
    for service in by_name.values():
        place = items[service.name].place_of("depends_on")
        if service.pod and service.pod not in by_name:
            problems.error(
                items[service.name].place_of("network_mode"),
                f"services.{service.name}.network_mode: there is no service {service.pod!r}",
            )
        for dependency in service.depends_on:
            target = by_name.get(dependency.service)
            if target is None:
                why = (
                    "is not in the active profiles"
                    if dependency.service in known
                    else "is not there"
                )
                tell = problems.error if dependency.is_required else problems.warn
                tell(
                    place,
                    f"services.{service.name}.depends_on: {dependency.service!r} {why}",
                )
            elif dependency.condition is Condition.HEALTHY and not target.has_healthcheck:
                problems.error(
                    place,
                    f"services.{service.name}.depends_on.{target.name}: service_healthy needs a"
                    " healthcheck of that service; if its image has one, say so by any key of it,"
                    " as in healthcheck: {interval: 10s}",
                )
    cycle = _cycle(by_name)
    if cycle:
        problems.error(
            items[cycle[0]].place_of("depends_on"),
            f"services depend on each other in a circle: {' -> '.join(cycle)}",
        )


def _needs(service: ServiceSpec, by_name: Mapping[str, ServiceSpec]) -> list[str]:
    names = [each.service for each in service.depends_on] + [service.pod] * bool(service.pod)
    return [name for name in names if name in by_name]


def _cycle(by_name: Mapping[str, ServiceSpec]) -> list[str]:
    """Return the names of a circle, the first again at its end; empty when there is none."""
    done: set[str] = set()
    for start in by_name:
        path: list[str] = []
        stack = [(start, iter(_needs(by_name[start], by_name)))]
        path.append(start)
        while stack:
            name, needs = stack[-1]
            target = next((each for each in needs if each not in done), None)
            if target is None:
                done.add(name)
                path.pop()
                stack.pop()
            elif target in path:
                return [*path[path.index(target) :], target]
            else:
                path.append(target)
                stack.append((target, iter(_needs(by_name[target], by_name))))
    return []


def _ordered(services: Iterable[ServiceSpec]) -> tuple[ServiceSpec, ...]:
    """Return each service after those it needs, otherwise as they are written."""
    by_name = {service.name: service for service in services}
    done: dict[str, ServiceSpec] = {}
    waiting = list(by_name)
    while waiting:
        ready = [
            name for name in waiting if all(need in done for need in _needs(by_name[name], by_name))
        ] or waiting  # a circle is an error told elsewhere
        for name in ready:
            done[name] = by_name[name]
        waiting = [name for name in waiting if name not in done]
    return tuple(done.values())
