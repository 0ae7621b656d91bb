"""What changes an engine: containers, networks and volumes are made and ended here.

Each of these may be asked for twice: what is there already, or gone already, is no error.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

from sidecar.engine.connection import Connection, Tls
from sidecar.engine.facts import is_container_reference
from sidecar.errors import EngineConflict, EngineRefused, ProtocolError

__all__ = ["Operations"]

_CREATE: Final = 60.0
_START: Final = 60.0  # an engine under load takes its time
_STOP: Final = 3600.0  # a container may have asked for a long time to stop in
_PULL: Final = 1800.0
_EXEC: Final = 600.0
_ALL: Final = {"all": "1"}


class Operations:
    """Asks one engine for what changes it, and for what must be known before."""

    def __init__(self, url: str, *, tls: Tls | None = None) -> None:
        """Take the engine's URL as ``Engine`` does."""
        self.url = url
        self._tls = tls
        self._open: Connection | None = None
        self._networking = asyncio.Lock()

    async def close(self) -> None:
        """Close the connections."""
        if self._open is not None:
            opened, self._open = self._open, None
            await opened.close()

    async def ping(self, timeout: float) -> None:
        """Return when the engine answers. Raises EngineUnavailable or EngineDenied."""
        await self._connection().ping(timeout)

    async def info(self) -> Mapping[str, Any]:
        """Return what the engine says of its host."""
        found = await self._connection().json("info")
        if not isinstance(found, dict):
            raise ProtocolError(f"{self.url} sent no table for info")
        return found

    async def containers(self) -> list[Mapping[str, Any]]:
        """Return the list of all containers, ended ones too."""
        return await self._list("containers/json", **_ALL)

    async def images(self) -> list[Mapping[str, Any]]:
        """Return the list of images."""
        return await self._list("images/json")

    async def inspect(self, id_: str) -> Mapping[str, Any] | None:
        """Return the whole document of a container by its id or name; None: it is gone."""
        if not is_container_reference(id_):
            return None
        found = await self._connection().json(f"containers/{id_}/json")
        return found if isinstance(found, dict) else None

    async def stats(self, id_: str) -> Mapping[str, Any]:
        """Return one reading of what a container uses; empty when it is gone.

        One-shot: the engine would else take a second to compare two readings (from API 1.41 on).
        """
        path = f"containers/{id_}/stats"
        once = {"stream": "false", "one-shot": "true"}
        found = await self._connection().json(path, **once) if is_container_reference(id_) else None
        return found if isinstance(found, dict) else {}

    async def image_named(self, name: str) -> str | None:
        """Return when an image got this name, in the engine's words; None where none has it.

        It only notes names that were given, not pulled.
        """
        found = await self._connection().json(f"images/{_path(name)}/json")
        if not isinstance(found, dict):
            return None
        noted = found.get("Metadata")
        return str(noted.get("LastTagTime") or "") if isinstance(noted, dict) else ""

    async def name_again(self, name: str) -> None:
        """Give an image the name that it has: its engine then notes when that was."""
        head, tag = _split(name)
        path = f"images/{_path(name)}/tag"
        await self._connection().send("POST", path, repo=head, tag=tag)

    async def pull(self, name: str, *, platform: str = "") -> None:
        """Get an image from its registry. Raises EngineRefused with the registry's words."""
        head, tag = _split(name)
        params = {"fromImage": head, "tag": tag, "platform": platform}
        given = {key: value for key, value in params.items() if value}
        async for told in self._connection().lines("images/create", timeout=_PULL, **given):
            if isinstance(told, dict) and told.get("error"):
                raise EngineRefused(" ".join(str(told["error"]).split()))

    async def create(self, name: str, body: Mapping[str, Any], *, platform: str = "") -> str:
        """Make a container and return its id. Raises EngineConflict when the name is taken."""
        params = {"name": name} | ({"platform": platform} if platform else {})
        made = await self._connection().send(
            "POST", "containers/create", body, timeout=_CREATE, **params
        )
        id_ = str(made.get("Id") or "") if isinstance(made, dict) else ""
        if not is_container_reference(id_):
            raise ProtocolError(f"{self.url} made a container without a usable id")
        return id_

    async def put(self, id_: str, archive: bytes) -> None:
        """Unpack a tar archive at the root of a container."""
        path = f"containers/{id_}/archive"
        await self._connection().send("PUT", path, archive, timeout=_CREATE, path="/")

    async def start(self, id_: str) -> None:
        """Start a container."""
        await self._connection().send("POST", f"containers/{id_}/start", timeout=_START)

    async def stop(self, id_: str) -> None:
        """Stop a container by its own signal and grace; return when it has ended."""
        await self._connection().post(f"containers/{id_}/stop", timeout=_STOP)

    async def halt(self, id_: str, grace: int) -> None:
        """Stop a container, whatever grace it asked for; return when it has ended."""
        await self._connection().post(f"containers/{id_}/stop", timeout=_STOP, t=str(grace))

    async def remove(self, id_: str) -> None:
        """Remove a container that does not run; its volumes stay."""
        with suppress(EngineConflict):  # it runs, or is being removed
            await self._gone("DELETE", f"containers/{id_}")

    async def rename(self, id_: str, name: str) -> None:
        """Give a container another name."""
        await self._connection().send("POST", f"containers/{id_}/rename", name=name)

    async def run(self, id_: str, body: Mapping[str, Any]) -> int:
        """Run a command in a container (the body of the exec call); return its exit status."""
        made = await self._connection().send("POST", f"containers/{id_}/exec", body)
        exec_id = str(made.get("Id") or "") if isinstance(made, dict) else ""
        if not is_container_reference(exec_id):
            raise ProtocolError(f"{self.url} made an exec without a usable id")
        await self._connection().finish(f"exec/{exec_id}/start", {"Detach": False}, timeout=_EXEC)
        found = await self._connection().json(f"exec/{exec_id}/json")
        return int(found.get("ExitCode") or 0) if isinstance(found, dict) else 0

    async def networks(self) -> frozenset[str]:
        """Return the names of all networks."""
        return frozenset(str(each.get("Name")) for each in await self._list("networks"))

    async def make_network(self, name: str, settings: Mapping[str, Any]) -> None:
        """Make a network where there is none of this name.

        The engine lets two have one name when they are asked for at the same time, whatever
        ``CheckDuplicate`` says; each use of the name is refused as ambiguous from then on.
        """
        async with self._networking:
            if name in await self.networks():
                return
            with suppress(EngineConflict):
                body = {"CheckDuplicate": True, **settings, "Name": name}
                await self._connection().send("POST", "networks/create", body, timeout=_CREATE)

    async def connect(self, network: str, id_: str, endpoint: Mapping[str, Any]) -> None:
        """Put a container into a network."""
        body = {"Container": id_, "EndpointConfig": endpoint}
        await self._connection().send(
            "POST", f"networks/{_path(network)}/connect", body, timeout=_CREATE
        )

    async def has_volume(self, name: str) -> bool:
        """Say whether a volume of this name is there."""
        return await self._connection().json(f"volumes/{_path(name)}") is not None

    async def make_volume(self, name: str, settings: Mapping[str, Any]) -> None:
        """Make a volume where there is none of this name; one that is there stays as it is."""
        body = {**settings, "Name": name}
        await self._connection().send("POST", "volumes/create", body, timeout=_CREATE)

    async def _gone(self, method: str, path: str) -> None:
        try:
            await self._connection().send(method, path, timeout=_CREATE)
        except EngineConflict:
            raise
        except EngineRefused:
            return

    async def _list(self, path: str, **params: str) -> list[Mapping[str, Any]]:
        found = await self._connection().json(path, **params)
        if not isinstance(found, list):
            raise ProtocolError(f"{self.url} sent no list for {path}")
        return [each for each in found if isinstance(each, dict)]

    def _connection(self) -> Connection:
        if self._open is None:
            self._open = Connection(self.url, tls=self._tls)
        return self._open


def _split(name: str) -> tuple[str, str]:
    """Return an image's name and its tag; with a digest the tag is empty."""
    head, colon, tag = name.rpartition(":")
    if "@" in name or not colon or "/" in tag:
        return name, "" if "@" in name else "latest"
    return head, tag


def _path(name: str) -> str:
    return quote(name, safe="/:@")
