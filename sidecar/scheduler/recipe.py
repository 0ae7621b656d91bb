"""How a container of a service is made: what its spec is a hash of, and what goes with it. Pure.

A ``Recipe`` knows neither slot nor node. It can be written as JSON and read again, so that the one
before can stand in a label for a rollback. ``build`` changes need another container; ``care`` is
what is done around one and changes nothing in it.
"""

import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

__all__ = [
    "EVERY", "Build", "Care", "File", "Hook", "Joined", "Made", "Recipe", "key_of", "packed",
    "remade",
    "spec_of", "unpacked",
]  # fmt: skip

_MOST_BYTES: Final = 16 << 10
_MOST_INSIDE: Final = 4 << 20
EVERY: Final = "every:"
"""Before the seconds after which an image is asked for again (``Care.pull``)."""
_GZIP: Final = zlib.MAX_WBITS | 16


class _Struct(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class File(_Struct, frozen=True, kw_only=True):
    """A file that is put into the container before it starts (configs, secrets)."""

    path: str
    digest: str
    """SHA-256 of the content, by which ``Care`` has it."""
    mode: int = 0o444
    uid: int = 0
    gid: int = 0
    is_secret: bool = False


class Joined(_Struct, frozen=True, kw_only=True):
    """A network that a container is in; ``name`` is the engine's."""

    name: str
    aliases: tuple[str, ...] = ()
    address: str = ""
    address6: str = ""
    link_local: tuple[str, ...] = ()
    options: Mapping[str, str] = {}
    priority: int = 0


class Made(_Struct, frozen=True, kw_only=True):
    """A volume or network that is made where it is missing, or ``is_external`` and must exist."""

    name: str
    is_external: bool = False
    settings: Mapping[str, Any] = {}
    """What the engine is told besides the name."""


class Build(_Struct, frozen=True, kw_only=True):
    """Everything that needs another container when it changes."""

    image: str
    config: Mapping[str, Any] = {}
    """The body of the create call but HostConfig and NetworkingConfig, by the engine's names."""
    host: Mapping[str, Any] = {}
    """HostConfig. Names of services in it are put in at creation: ``service:NAME``."""
    links: tuple[str, ...] = ()
    """``SERVICE[:ALIAS]`` or ``CONTAINER[:ALIAS]``."""
    networks: tuple[Joined, ...] = ()
    files: tuple[File, ...] = ()
    platform: str = ""
    after: Mapping[str, str] = {}
    """Specs of the services with which this one is made anew (``depends_on.restart``)."""


class Hook(_Struct, frozen=True, kw_only=True):
    """A command that runs in the container (``post_start``, ``pre_stop``)."""

    command: tuple[str, ...]
    user: str = ""
    is_privileged: bool = False
    folder: str = ""
    environment: tuple[str, ...] = ()


class Care(_Struct, frozen=True, kw_only=True):
    """What is done around a container."""

    pull: str = "missing"
    name: str = ""
    """``container_name``; empty: by stack, service and slot."""
    labels: Mapping[str, str] = {}
    """Labels that only we read: they change without another container."""
    role: str = "main"
    """``main``, ``sidecar:NAME`` or ``canary``."""
    post_start: tuple[Hook, ...] = ()
    pre_stop: tuple[Hook, ...] = ()
    drain: float | None = None
    """Seconds a drain may take; None: the program's default."""
    contents: Mapping[str, bytes] = {}
    """What files hold, by digest."""
    secrets: Mapping[str, bytes] = {}
    """The same of secrets; stands in no label."""
    volumes: tuple[Made, ...] = ()
    networks: tuple[Made, ...] = ()


class Recipe(_Struct, frozen=True, kw_only=True):
    """How a service's containers are made and cared for."""

    build: Build
    care: Care = Care()


def key_of(stack: str, service: str) -> str:
    """Return what a service is called among all stacks: ``Goal.service``, keys of copies."""
    return f"{stack}/{service}"


def remade(recipe: Recipe, after: Mapping[str, str]) -> Recipe:
    """Return a recipe whose containers are made anew with these specs of other services."""
    build = msgspec.structs.replace(recipe.build, after=after)
    return msgspec.structs.replace(recipe, build=build)


def spec_of(recipe: Recipe) -> str:
    """Return 12 hexadecimal digits that change with everything that needs another container."""
    return sha256(msgspec.json.encode(recipe.build, order="deterministic")).hexdigest()[:12]


def packed(recipe: Recipe) -> str:
    """Return a recipe without secrets as a label's text; empty when it is larger than 16 KiB."""
    bare = msgspec.structs.replace(recipe, care=msgspec.structs.replace(recipe.care, secrets={}))
    text = b64encode(zlib.compress(msgspec.json.encode(bare, order="deterministic"), 9, _GZIP))
    return text.decode() if len(text) <= _MOST_BYTES else ""


def unpacked(text: str) -> Recipe | None:
    """Return the recipe of a label's text, None for anything else."""
    try:
        body = zlib.decompressobj(_GZIP).decompress(b64decode(text, validate=True), _MOST_INSIDE)
        return msgspec.json.decode(body, type=Recipe)
    except (ValueError, zlib.error, msgspec.MsgspecError):
        return None
