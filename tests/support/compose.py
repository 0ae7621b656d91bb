"""Our compose files as options of ``docker run``, so that tests run what the files say."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

__all__ = ["DEPLOY", "Compose"]

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+):([-?])([^}]*)\}")

# A key that is not here fails the test: nothing in the file may stay untried.
_LISTS = {
    "volumes": "--volume",
    "group_add": "--group-add",
    "tmpfs": "--tmpfs",
    "cap_drop": "--cap-drop",
    "security_opt": "--security-opt",
    "ports": "--publish",
}
_PAIRS = {"environment": "--env", "labels": "--label"}
_VALUES = {"pids_limit": "--pids-limit", "mem_limit": "--memory", "restart": "--restart"}
_OTHERS = {"image", "command", "healthcheck", "depends_on"}


class Compose:
    """One file with its variables filled in."""

    def __init__(self, path: Path, variables: Mapping[str, str]) -> None:
        """Raises KeyError for a variable that the file insists on."""

        def value(found: re.Match[str]) -> str:
            name, kind, text = found.groups()
            if name not in variables and kind == "?":
                raise KeyError(f"{name}: {text}")
            return variables.get(name, text)

        self._file: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(value, path.read_text()))

    @property
    def services(self) -> Mapping[str, Mapping[str, Any]]:
        """Everything that is run, by name."""
        found: dict[str, dict[str, Any]] = self._file["services"]
        return found

    def content(self, config: str) -> str:
        """Return a file that the compose file holds, as a container sees it."""
        text = self._file["configs"][config]["content"]
        assert isinstance(text, str)
        return text.replace("$$", "$")

    def command(self, service: str) -> list[str]:
        """Return image and command."""
        found = self.services[service]
        words = [str(word).replace("$$", "$") for word in found.get("command", [])]
        return [found["image"], *words]

    def healthcheck(self, service: str) -> list[str]:
        """Return the words that are run inside to ask how it is."""
        how, *words = self.services[service]["healthcheck"]["test"]
        assert how == "CMD"
        return [str(word) for word in words]

    def options(
        self, service: str, containers: Mapping[str, str] = {}, folder: Path | None = None
    ) -> list[str]:
        """Return everything else the file asks for.

        ``containers`` are those of services that run already; ``folder`` takes the files that
        the compose file holds.
        """
        options: list[str] = []
        for key, value in self.services[service].items():
            if key in _LISTS:
                options += [word for entry in value for word in (_LISTS[key], str(entry))]
            elif key in _PAIRS:
                options += [
                    w for name, text in value.items() for w in (_PAIRS[key], f"{name}={text}")
                ]
            elif key in _VALUES:
                options += [_VALUES[key], str(value)]
            elif key == "network_mode":
                kind, _, name = value.partition(":")
                options += ["--network", f"container:{containers[name]}" if name else kind]
            elif key == "read_only":
                options += ["--read-only"] if value else []
            elif key == "stop_grace_period":
                options += ["--stop-timeout", value.removesuffix("s")]
            elif key == "configs":
                assert folder is not None
                options += [word for entry in value for word in self._mounted(entry, folder)]
            else:
                assert key in _OTHERS, f"the file has {key}, which no test tries"
        return options

    def _mounted(self, entry: Mapping[str, str], folder: Path) -> tuple[str, str]:
        path = folder / entry["source"]
        path.write_text(self.content(entry["source"]))
        path.chmod(0o644)
        return "--volume", f"{path}:{entry['target']}:ro"
