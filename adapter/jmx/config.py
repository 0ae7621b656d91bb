"""The YAML of jmx_exporter's standalone server, with targets, discovery and transports added. Pure.

``settings_of`` reads the whole file and reports every mistake with its line and column. What a
target does not set it has from the top of the file, so one set of rules serves many JVMs.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal, cast

from adapter.documents import Node, document
from adapter.jmx import config_beans, config_http, config_rules
from adapter.jmx.config_places import place_of, variable
from adapter.jmx.settings import Discovery, Place, Settings, Target, Tls

__all__ = ["settings_of"]

Fields = Mapping[str, Node]

_NOWHERE: Final = Place("", 0)
_MODES: Final = ("rmi", "jolokia")
_ORDERS: Final = ("registered", "typeFirst")
_HOSTS: Final = ("follow", "target")
_TARGET: Final = (
    "hostPort", "jmxUrl", "mode", "username", "password", "ssl", "startDelaySeconds",
    "scrapeTimeoutSeconds", "rmiHost", "propertyOrder", "jvmMetrics", "maxReplyBytes",
    "maxSeries", "refreshScrapes", "rules", *config_beans.KEYS, *config_rules.NAMING_KEYS,
)  # fmt: skip
_TOP: Final = (*_TARGET, "targets", "discovery", "httpServer", "openTelemetry")


def settings_of(text: str, source: str, environ: Mapping[str, str]) -> Settings:
    """Return the settings that a file means. Raises ConfigError with every mistake."""
    root, problems = document(text, source)
    fields = root.fields(_TOP, is_strict=False)  # files for the peer have keys of others
    base = _target(root, fields, Target(name="", place=_NOWHERE), environ)
    http = config_http.http_of(fields["httpServer"], environ)
    targets = [base] if base.place != _NOWHERE else []
    targets += fields["targets"].each(lambda entry: _listed(entry, base, environ))
    discovery = _discovery(fields["discovery"])
    _check_names(root, targets)
    if not targets and discovery is None and not problems.lines:
        root.wrong("one of hostPort, jmxUrl, targets and discovery is needed")
    problems.check()
    warnings = problems.warnings
    if fields["openTelemetry"]:
        warnings.append(f"{source}: openTelemetry is not supported: metrics are only served")
    return Settings(
        targets=tuple(targets),
        template=replace(base, place=_NOWHERE, name=""),
        http=http,
        discovery=discovery,
        warnings=tuple(warnings),
    )


def _listed(entry: Node, base: Target, environ: Mapping[str, str]) -> Target:
    fields = entry.fields((*_TARGET, "name"))
    target = _target(entry, fields, replace(base, place=_NOWHERE, name=""), environ)
    if not fields["hostPort"] and not fields["jmxUrl"]:
        entry.wrong("hostPort or jmxUrl is needed")
    return replace(target, name=fields["name"].text(target.name))


def _check_names(root: Node, targets: list[Target]) -> None:
    seen: set[str] = set()
    for target in targets:
        if target.name in seen and target.name:
            root.wrong(f"two targets are called {target.name!r}")
        seen.add(target.name)


def _target(node: Node, fields: Fields, base: Target, environ: Mapping[str, str]) -> Target:
    place = place_of(fields["hostPort"], fields["jmxUrl"]) or base.place
    mode = fields["mode"].choice(_MODES, "jolokia" if place.url else base.mode)
    if place != _NOWHERE and (mode == "jolokia") != bool(place.url):
        node.wrong("mode jolokia goes with jmxUrl: http://HOST:PORT/jolokia, and with no other")
    timeout, delay = fields["scrapeTimeoutSeconds"], fields["startDelaySeconds"]
    return replace(
        base,
        name=str(place) if place != _NOWHERE else "",
        place=place,
        mode=cast("Literal['rmi', 'jolokia']", mode),
        username=variable(fields["username"], environ, base.username),
        password=variable(fields["password"], environ, base.password),
        tls=_tls(fields["ssl"], base.tls, environ),
        start_delay=float(delay.whole(int(base.start_delay))),
        timeout=float(timeout.whole(1, least=1)) if timeout else base.timeout,
        follows_host=_is(fields["rmiHost"], _HOSTS, is_first=base.follows_host),
        type_first=not _is(fields["propertyOrder"], _ORDERS, is_first=not base.type_first),
        jvm_metrics=fields["jvmMetrics"].truth(default=base.jvm_metrics),
        selection=config_beans.selection_of(fields, base.selection),
        customizers=config_beans.customizers_of(fields["metricCustomizers"], base.customizers),
        rules=config_rules.rules_of(fields["rules"], base.rules),
        naming=config_rules.naming_of(fields, base.naming),
        most_bytes=fields["maxReplyBytes"].whole(base.most_bytes, least=1 << 16),
        most_series=fields["maxSeries"].whole(base.most_series, least=1),
        refresh=fields["refreshScrapes"].whole(base.refresh, least=1),
    )


def _is(node: Node, words: tuple[str, str], *, is_first: bool) -> bool:
    return node.choice(words, words[0] if is_first else words[1]) == words[0]


def _tls(node: Node, base: Tls, environ: Mapping[str, str]) -> Tls:
    registry = environ.get("RMI_REGISTRY_SSL_DISABLED", "").lower() != "true"
    if not node:
        return replace(base, registry=registry)
    if not node.is_mapping:
        return replace(base, enabled=node.truth(), registry=registry)
    fields = node.fields(("enabled", "keyStore", "trustStore", "protocols", "ciphers"))
    return Tls(
        enabled=fields["enabled"].truth(),
        registry=registry,
        keys=config_http.store_of(fields["keyStore"], environ),
        trust=config_http.store_of(fields["trustStore"], environ),
        protocols=_words(fields["protocols"]),
        ciphers=_words(fields["ciphers"]),
    )


def _words(node: Node) -> tuple[str, ...]:
    if node.is_list:
        return tuple(entry.text().strip() for entry in node.elements())
    return tuple(word.strip() for word in node.text().split(",") if word.strip())


def _discovery(node: Node) -> Discovery | None:
    if not node:
        return None
    fields = node.fields(("store", "tag"))
    store = fields["store"].text()
    if not store:
        node.wrong("store is needed: the URL of Pinnace or of a store, as consul://127.0.0.1:8500")
    return Discovery(store, fields["tag"].text("jmx"))
