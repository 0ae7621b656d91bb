"""The YAML of jmx_exporter's standalone server, with targets, discovery and transports added. Pure.

``settings_of`` reads the whole file and reports every mistake with its line and column. What a
target does not set it has from the top of the file, so one set of rules serves many JVMs.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal, cast

from adapter.jmx import config_beans, config_http, config_rules
from adapter.jmx.config_places import place_of, variable
from adapter.jmx.settings import Discovery, Place, Settings, Store, Target, Tls
from adapter.yamldoc import Item, Table, read

__all__ = ["settings_of"]

_NOWHERE: Final = Place("", 0)
_MODES: Final = ("rmi", "jolokia")
_ORDERS: Final = ("registered", "typeFirst")
_HOSTS: Final = ("follow", "target")


def settings_of(text: str, source: str, environ: Mapping[str, str]) -> Settings:
    """Return the settings that a file means. Raises ConfigError with every mistake."""
    item = read(text, source)
    table = item.table()
    warnings: list[str] = []
    base = _target(table, Target(name="", place=_NOWHERE), environ)
    http = config_http.http_of(table.get("httpServer"), environ)
    if table.get("openTelemetry") is not None:
        warnings.append(f"{source}: openTelemetry is not supported; metrics are only served")
    targets = [base] if base.place != _NOWHERE else []
    if (listed := table.get("targets")) is not None:
        targets += [_listed(entry, base, environ) for entry in listed.items()]
    discovery = _discovery(table.get("discovery"))
    table.finish()
    _check_names(item, targets)
    if not targets and discovery is None and not item.document.problems:
        item.wrong("one of hostPort, jmxUrl, targets or discovery is needed")
    item.document.check()
    template = replace(base, place=_NOWHERE, name="")
    return Settings(
        targets=tuple(targets),
        template=template,
        http=http,
        discovery=discovery,
        warnings=tuple(warnings),
    )


def _listed(entry: Item, base: Target, environ: Mapping[str, str]) -> Target:
    table = entry.table()
    target = _target(table, replace(base, place=_NOWHERE, name=""), environ)
    if target.place == _NOWHERE and entry.is_table:
        entry.wrong("hostPort or jmxUrl is needed")
    name = table.a("name", str, target.name)
    table.finish()
    return replace(target, name=name)


def _check_names(item: Item, targets: list[Target]) -> None:
    seen: set[str] = set()
    for target in targets:
        if target.name in seen and target.name:
            item.wrong(f"two targets are called {target.name!r}")
        seen.add(target.name)


def _target(table: Table, base: Target, environ: Mapping[str, str]) -> Target:
    place = place_of(table) or base.place
    timeout = _at_least(table, "scrapeTimeoutSeconds", 1, int(base.timeout or 0))
    mode = table.one_of("mode", _MODES, base.mode)
    if place.url and "mode" not in table:
        mode = "jolokia"
    if place != _NOWHERE and (mode == "jolokia") != bool(place.url):
        table.item.wrong("mode jolokia wants jmxUrl: http://HOST:PORT/jolokia, and the other way")
    return replace(
        base,
        name=str(place) if place != _NOWHERE else "",
        place=place,
        mode=cast("Literal['rmi', 'jolokia']", mode),
        username=_secret(table, "username", base.username, environ),
        password=_secret(table, "password", base.password, environ),
        tls=_tls(table.get("ssl"), base.tls, environ),
        start_delay=float(_at_least(table, "startDelaySeconds", 0, int(base.start_delay))),
        timeout=float(timeout) if timeout else None,
        follows_host=_is(table, "rmiHost", _HOSTS, is_first=base.follows_host),
        type_first=not _is(table, "propertyOrder", _ORDERS, is_first=not base.type_first),
        jvm_metrics=table.a("jvmMetrics", bool, base.jvm_metrics),
        selection=config_beans.selection_of(table, base.selection),
        customizers=config_beans.customizers_of(table, base.customizers),
        rules=config_rules.rules_of(table.get("rules"), base.rules),
        naming=config_rules.naming_of(table, base.naming),
        most_bytes=_at_least(table, "maxReplyBytes", 1 << 16, base.most_bytes),
        refresh=_at_least(table, "refreshScrapes", 1, base.refresh),
    )


def _is(table: Table, key: str, words: tuple[str, str], *, is_first: bool) -> bool:
    return table.one_of(key, words, words[0] if is_first else words[1]) == words[0]


def _at_least(table: Table, key: str, least: int, default: int) -> int:
    item = table.get(key)
    if item is None or item.is_null:
        return default
    value = item.a(int, max(least, default))
    if value < least:
        item.wrong(f"is {value}; it has to be at least {least}")
    return value


def _secret(table: Table, key: str, default: str, environ: Mapping[str, str]) -> str:
    item = table.get(key)
    if item is None or item.is_null:
        return default
    return variable(item, environ)


def _tls(item: Item | None, base: Tls, environ: Mapping[str, str]) -> Tls:
    registry = environ.get("RMI_REGISTRY_SSL_DISABLED", "").lower() != "true"
    if item is None or item.is_null:
        return replace(base, registry=registry)
    if not item.is_table:
        return replace(base, enabled=item.a(bool, default=False), registry=registry)
    table = item.table()
    found = Tls(
        enabled=table.a("enabled", bool, default=False),
        registry=registry,
        keys=_store(table.get("keyStore"), environ),
        trust=_store(table.get("trustStore"), environ),
        protocols=_words(table.get("protocols")),
        ciphers=_words(table.get("ciphers")),
    )
    table.finish()
    return found


def _store(item: Item | None, environ: Mapping[str, str]) -> Store | None:
    return None if item is None else config_http.store_of(item, environ)


def _words(item: Item | None) -> tuple[str, ...]:
    if item is None or item.is_null:
        return ()
    if item.is_list:
        return tuple(entry.written.strip() for entry in item.texts())
    return tuple(word.strip() for word in item.a(str, "").split(",") if word.strip())


def _discovery(item: Item | None) -> Discovery | None:
    if item is None:
        return None
    table = item.table()
    store = table.a("store", str, "")
    if not store:
        item.wrong("store is needed: the URL of Pinnace or of a store, as consul://127.0.0.1:8500")
    tag = table.a("tag", str, "jmx")
    table.finish()
    return Discovery(store, tag)
