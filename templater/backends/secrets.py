"""What a Vault answers, as keys: facts of its KV engines, version 1 and 2. Pure.

A secret whose only field is ``value``, with text, is that text; any other is its JSON under its
own key, and each text field below it (read in confd). Fields that are no text are in the JSON.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sidecar.errors import ConfigError

__all__ = ["Login", "Mount", "login_of", "secret_values"]

_TOKEN: Final = "token"  # noqa: S105  (the name of a way to log in)


@dataclass(frozen=True, slots=True)
class Login:
    """How a token is had: a request and its body, or the token itself when there is no path."""

    path: str = ""
    body: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Mount:
    """Where a secret engine hangs, such as ``secret/``, and whether it keeps versions (KV 2)."""

    path: str
    is_versioned: bool

    def url(self, key: str, verb: str) -> str:
        """Return the path of a request; ``verb`` is what version 2 puts after the mount."""
        key = key.strip("/")
        below = key.removeprefix(self.path)
        named = below.startswith(("data/", "metadata/"))
        if not self.is_versioned or named or not key.startswith(self.path):
            return f"/v1/{key}"
        return f"/v1/{self.path}{verb}/{below}"


def login_of(kind: str, given: Mapping[str, str]) -> Login:  # noqa: PLR0911  (one for each way)
    """Return how to log in; ``given`` are the settings by flag, and ``jwt``. Raises ConfigError."""
    place = given.get("path") or ("approle" if kind == "app-role" else kind)

    def take(*names: str) -> dict[str, str]:
        missing = [name for name in names if not given.get(name)]
        if missing:
            raise ConfigError([f"auth-type {kind} needs -{missing[0]}"])
        return {name.replace("-", "_"): given[name] for name in names}

    match kind:
        case "token":
            return Login(token=take("auth-token")["auth_token"])
        case "app-role":
            return Login(f"/v1/auth/{place}/login", take("role-id", "secret-id"))
        case "app-id":
            return Login(f"/v1/auth/{place}/login", take("app-id", "user-id"))
        case "github":
            return Login(f"/v1/auth/{place}/login", {_TOKEN: take("auth-token")["auth_token"]})
        case "userpass":
            taken = take("username", "password")
            path = f"/v1/auth/{place}/login/{taken['username']}"
            return Login(path, {"password": taken["password"]})
        case "kubernetes":
            taken = take("role-id", "jwt")
            return Login(f"/v1/auth/{place}/login", {"jwt": taken["jwt"], "role": taken["role_id"]})
        case "cert":
            return Login(f"/v1/auth/{place}/login")
        case "":
            raise ConfigError(["you have to set the auth type when using the vault backend"])
    raise ConfigError([f"auth-type: {kind!r} is not known"])


def secret_values(key: str, data: Mapping[str, Any]) -> dict[str, str]:
    """Return the keys of one secret."""
    only = data.get("value")
    if len(data) == 1 and isinstance(only, str):
        return {key: only}
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return {key: text, **_texts(key, data)}


def _texts(key: str, value: object) -> dict[str, str]:
    if isinstance(value, str):
        return {key: value}
    found: dict[str, str] = {}
    if isinstance(value, Mapping):
        for name, inner in value.items():
            found |= _texts(f"{key}/{name}", inner)
    return found
