"""Compose files of deploy/ as options of ``docker run``, so that tests run what they say."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

__all__ = ["command_of", "options_of", "run_options", "services_of"]

FILE = Path(__file__).resolve().parents[2] / "deploy" / "compose.yaml"
_VARIABLE = re.compile(r"\$\{(\w+):([-?])([^}]*)\}")

# A key that is not here fails the test: nothing in the file may stay untried.
_LISTS = {
    "volumes": "--volume",
    "group_add": "--group-add",
    "tmpfs": "--tmpfs",
    "cap_drop": "--cap-drop",
    "security_opt": "--security-opt",
}
_VALUES = {
    "network_mode": "--network",
    "pids_limit": "--pids-limit",
    "mem_limit": "--memory",
    "restart": "--restart",
}


def services_of(path: Path, variables: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the services of a file by name, variables filled in."""

    def value(found: re.Match[str]) -> str:
        name, kind, text = found.groups()
        if name not in variables and kind == "?":
            raise KeyError(f"{name}: {text}")
        return variables.get(name, text)

    text = _VARIABLE.sub(value, path.read_text())
    services: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
    return services


def _service(variables: Mapping[str, str]) -> dict[str, Any]:
    (service,) = services_of(FILE, variables).values()
    return service


def command_of(variables: Mapping[str, str]) -> list[str]:
    """Return image and command."""
    service = _service(variables)
    return [service["image"], *service["command"]]


def run_options(variables: Mapping[str, str]) -> list[str]:
    """Return everything else the file asks for."""
    return options_of(_service(variables))


def options_of(service: Mapping[str, Any]) -> list[str]:
    """Return what a service asks for besides image and command."""
    options: list[str] = []
    for key, value in service.items():
        if key in _LISTS:
            options += [word for entry in value for word in (_LISTS[key], str(entry))]
        elif key in _VALUES:
            options += [_VALUES[key], str(value)]
        elif key == "environment":
            options += [w for name, text in value.items() for w in ("--env", f"{name}={text}")]
        elif key == "read_only":
            options += ["--read-only"] if value else []
        elif key == "stop_grace_period":
            options += ["--stop-timeout", value.removesuffix("s")]
        else:
            assert key in {"image", "command"}, f"compose.yaml has {key}, which no test tries"
    return options
