"""The file of ``adapter http``: targets and the rules that make metrics of what they say. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast
from urllib.parse import urlsplit

from adapter.documents import Node, document
from adapter.exposition import Kind
from adapter.http.paths import Path, path_of
from adapter.rules import METRIC_NAME, labels_at, regex_at
from sidecar.catalog.regex import Regex

__all__ = ["Rule", "Target", "targets_of"]

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)
_TIMEOUT: Final = 5.0
_STEPS: Final = 20_000  # of a regular expression on one line
_TARGET: Final = ("name", "url", "format", "timeout", "headers", "labels", "rules")
_RULE: Final = ("path", "match", "name", "type", "help", "value", "values", "scale", "labels")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which values become which metric."""

    path: Path
    regex: Regex | None
    name: str
    kind: Kind
    help: str
    value: str
    """Text rules: the template of the number. JSON: a path below what ``path`` found."""
    values: Mapping[str, float]
    """Words that stand for numbers."""
    scale: float
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One address that is asked at each scrape."""

    name: str
    url: str
    form: Literal["json", "text"]
    timeout: float
    headers: Mapping[str, str]
    labels: tuple[tuple[str, str], ...]
    rules: tuple[Rule, ...]


def targets_of(text: str, name: str, environ: Mapping[str, str]) -> tuple[Target, ...]:
    """Return what a file says; ``${NAME}`` in a header is a variable. Raises ConfigError."""
    root, problems = document(text, name)
    nodes = root.fields(("targets",))["targets"]
    found = tuple(nodes.each(lambda node: _target(node, environ)))
    names = [target.name for target in found]
    for target in sorted({name for name in names if names.count(name) > 1}):
        nodes.wrong(f"two targets are named {target!r}")
    if not found:
        root.wrong("there are no targets")
    problems.check()
    return found


def _target(node: Node, environ: Mapping[str, str]) -> Target:
    keys = node.fields(_TARGET)
    url = keys["url"].text()
    shown, has_login = _shown(url)
    if not shown:
        (keys["url"] or node).wrong(f"needs a url with http:// or https://, not {url!r}")
    headers = _headers(keys["headers"], environ)
    if has_login and "authorization" in {header.lower() for header in headers}:
        keys["headers"].wrong("Authorization is in the url already")
    form = keys["format"].choice(("json", "text"), "json")
    rules = tuple(keys["rules"].each(lambda rule: _rule(rule, form)))
    if not rules:
        node.wrong("needs rules")
    return Target(
        name=keys["name"].text() or shown,
        url=url,
        form=cast("Literal['json', 'text']", form),
        timeout=keys["timeout"].duration(_TIMEOUT) or _TIMEOUT,
        headers=headers,
        labels=labels_at(keys["labels"]),
        rules=rules,
    )


def _shown(url: str) -> tuple[str, bool]:
    """Return an address as everybody may see it, nothing for none; and whether it has a login."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return "", False
    except ValueError:
        return "", False
    login, at, _ = parts.netloc.rpartition("@")
    return url.replace(f"{login}{at}", "", 1) if at else url, bool(at)


def _headers(node: Node, environ: Mapping[str, str]) -> Mapping[str, str]:
    found = {}
    for name, value in node.items():
        text = value.text()
        for variable in _VARIABLE.findall(text):
            if variable not in environ:
                value.wrong(f"the variable {variable} is not set")
        filled = _VARIABLE.sub(lambda match: environ.get(match[1], ""), text)
        if not (name + filled).isprintable() or ":" in name or not name:
            value.wrong("cannot be sent as a header")
        found[name] = filled
    return found


def _rule(node: Node, form: str) -> Rule:
    keys = node.fields(_RULE)
    name = keys["name"].text()
    if not METRIC_NAME.fullmatch(name):
        (keys["name"] or node).wrong(f"{name!r} cannot be the name of a metric")
    other = "match" if form == "json" else "path"
    if keys[other]:
        keys[other].wrong(f"is not for targets of format {form}")
    return Rule(
        path=_path(keys["path"], node) if form == "json" else (),
        regex=regex_at(_needed(keys["match"], node), _STEPS) if form == "text" else None,
        name=name,
        kind=cast("Kind", keys["type"].choice(("gauge", "counter", "unknown"), "gauge")),
        help=keys["help"].text("From an application by rule."),
        value=_value(keys["value"], form),
        values={word: number.number(0.0) for word, number in keys["values"].items()},
        scale=keys["scale"].number(1.0),
        labels=labels_at(keys["labels"]),
    )


def _path(node: Node, rule: Node) -> Path:
    if not node:
        rule.wrong("needs a path")
        return ()
    try:
        return path_of(node.text())
    except ValueError as error:
        node.wrong(str(error))
        return ()


def _value(node: Node, form: str) -> str:
    if form == "json" and node:
        _path(node, node)
    return node.text("$1" if form == "text" else "")


def _needed(node: Node, rule: Node) -> Node:
    if not node:
        rule.wrong("needs a match")
    return node
