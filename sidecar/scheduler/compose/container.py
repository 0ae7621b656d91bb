"""What the create call says of the container itself, by the engine's names. Pure."""

import json
from collections.abc import Mapping
from math import ceil
from typing import Any, Final

from sidecar.scheduler.compose.document import Item
from sidecar.scheduler.compose.reader import Reader
from sidecar.scheduler.compose.rules import LABELS
from sidecar.scheduler.compose.setting import Setting
from sidecar.scheduler.compose.values import seconds, whole
from sidecar.scheduler.compose.words import words_of
from sidecar.scheduler.expressions import Expression
from sidecar.scheduler.fencing import Fencing
from sidecar.scheduler.labels import FENCING, is_live
from sidecar.scheduler.model import NANO
from sidecar.scheduler.spec import ServiceSpec

__all__ = ["config_of", "environment_of", "given", "labels_of"]

_CHECK: Final = (
    "test", "interval", "timeout", "retries", "start_period", "start_interval", "disable",
)  # fmt: skip
_PERIODS: Final = {
    "Interval": "interval",
    "Timeout": "timeout",
    "StartPeriod": "start_period",
    "StartInterval": "start_interval",
}


def given(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given: neither nothing, nor empty; 0 and false count as given."""
    return {
        key: value
        for key, value in table.items()
        if value is not None and value not in ("", [], {})
    }


def config_of(
    service: Reader, spec: ServiceSpec, setting: Setting, labels: Mapping[str, str]
) -> dict[str, Any]:
    """Return the body of the create call, but for host and networks."""
    volumes = [each.text for each in service.items("volumes") if each.text]
    return given(
        {
            "Hostname": service.text("hostname"),
            "Domainname": service.text("domainname"),
            "User": service.text("user"),
            "Tty": service.flag("tty") or None,
            "OpenStdin": service.flag("stdin_open") or None,
            "Env": [f"{name}={value}" for name, value in environment_of(service, spec, setting)],
            "Cmd": _words(service, "command"),
            "Entrypoint": _words(service, "entrypoint"),
            "Healthcheck": _check(service.below("healthcheck")),
            "Volumes": {each: {} for each in volumes if ":" not in each},
            "WorkingDir": service.text("working_dir"),
            "Labels": {k: v for k, v in labels.items() if not is_live(k)},
            "StopSignal": service.text("stop_signal"),
            "StopTimeout": _grace(service),
            "ExposedPorts": {f"{port.number}/{port.protocol}": {} for port in spec.exposed},
        }
    )


def _words(service: Reader, key: str) -> list[str] | None:
    item = service.get(key)
    try:
        return words_of(item)
    except ValueError as error:
        service.error(item or service.item, f"{service.where}.{key}: {error}")
        return None


def _grace(service: Reader) -> int | None:
    if "stop_grace_period" not in service:
        return None
    return ceil(service.value("stop_grace_period", seconds, 10.0))  # 0 would be none at all


def environment_of(service: Reader, spec: ServiceSpec, setting: Setting) -> list[tuple[str, str]]:
    """Return the variables: those of files first, each overridden by what comes later."""
    found: dict[str, str] = {}
    for item in service.items("env_file"):
        found |= _file(service, item, setting)
    for name, value in spec.environment.items():
        if value is not None:
            found[name] = value
        elif name in setting.environ:
            found[name] = setting.environ[name]
    return sorted(found.items())


def _file(service: Reader, item: Item, setting: Setting) -> dict[str, str]:
    if isinstance(item.value, str):
        return setting.pairs(item, item.value, is_needed=True, is_raw=False)
    reader = Reader(item, f"{service.where}.env_file", service.problems)
    reader.only(("path", "required", "format"))
    is_raw = reader.one_of("format", ("raw",), "") == "raw"
    is_needed = reader.flag("required", default=True)
    return setting.pairs(item, reader.text("path"), is_needed=is_needed, is_raw=is_raw)


def labels_of(service: Reader, spec: ServiceSpec, setting: Setting) -> dict[str, str]:
    """Return all labels that a file gives: to a service, its files of labels, ``deploy``."""
    found = {k: v or "" for k, v in service.below("deploy").pairs("labels").items()}
    for item in service.texts("label_file"):
        found |= setting.pairs(item, item.text, is_needed=True, is_raw=False)
    found |= spec.labels
    if spec.conduct.fencing is Fencing.SELF:  # a container without it would not be stopped
        found[FENCING] = Fencing.SELF.value
    return dict(sorted({**found, **_rules(spec)}.items()))


def _rules(spec: ServiceSpec) -> dict[str, str]:
    """Return classic Swarm's rules as the labels in which it keeps them: JSON arrays."""
    wishes = [each for each in spec.soft if isinstance(each.expression, Expression)]
    found = {
        "constraint": [
            *(each for each in spec.constraints if isinstance(each, Expression)),
            *(each.expression for each in wishes if not each.is_affinity),
        ],
        "affinity": [
            *spec.affinities, *(each.expression for each in wishes if each.is_affinity),
        ],
        "whitelist": spec.whitelists,
    }  # fmt: skip
    return {
        LABELS[word]: json.dumps([each.text for each in rules])
        for word, rules in found.items()
        if rules
    }


def _check(check: Reader) -> dict[str, Any]:
    check.only(_CHECK)
    if check.flag("disable"):
        return {"Test": ["NONE"]}
    test = check.get("test")
    words = [each.text for each in test.items] if test else []
    if test is not None and isinstance(test.value, str):
        words = ["NONE"] if test.text == "NONE" else ["CMD-SHELL", test.text]
    elif words and words[0] not in {"CMD", "CMD-SHELL", "NONE"}:
        check.error(check.item, f"{check.where}.test must begin with CMD, CMD-SHELL or NONE")
    times = {
        theirs: round(check.value(ours, seconds, 0.0) * NANO) or None
        for theirs, ours in _PERIODS.items()
    }
    retries = check.value("retries", whole, 0) or None
    return given({"Test": words, "Retries": retries, **times})
