"""Docker engines in memory, as ``Operations`` and ``Engine`` show them, with everything that fails.

Each call gives way to others before and after it takes effect, and counts both (``Yard.step``): a
scheduler can be killed at each of these moments.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime
from itertools import count
from typing import Any

from sidecar.engine.events import Connected, Lost, Signal
from sidecar.engine.facts import Event
from sidecar.errors import EngineConflict, EngineRefused, EngineUnavailable
from sidecar.runtime.clock import Clock

__all__ = ["Dock", "Yard"]


class Yard:
    """Some engines; ``step`` is called at each moment at which something may be killed."""

    def __init__(self, clock: Clock, names: str = "n1 n2") -> None:
        self.clock = clock
        self.steps = 0
        self.step: Callable[[], None] = lambda: None
        self.docks = {name: Dock(name, self) for name in names.split()}

    def containers(self, *, running: bool = True) -> list[dict[str, Any]]:
        """Return the documents of all containers, or of those that run."""
        return [
            each
            for dock in self.docks.values()
            for each in dock.documents.values()
            if not running or each["State"]["Running"]
        ]

    async def pass_by(self) -> None:
        """Give way; something may be killed now."""
        self.steps += 1
        self.step()
        await asyncio.sleep(0)


class Dock:
    """One engine: both what changes it and what follows it."""

    def __init__(self, name: str, yard: Yard) -> None:
        self.name = name
        self.url = f"fake://{name}"
        self.yard = yard
        self.documents: dict[str, dict[str, Any]] = {}
        self.has = {"web", "web:2"}
        self.pulled: list[str] = []
        self.named: dict[str, str] = {}
        self.nets: dict[str, Mapping[str, Any]] = {"bridge": {}}
        self.volumes: dict[str, Mapping[str, Any]] = {}
        self.archives: dict[str, bytes] = {}
        self.execs: list[tuple[str, list[str]]] = []
        self.calls: list[tuple[str, ...]] = []
        self.is_up = True
        self.is_frozen = False
        self.memory = 1 << 34
        self.failing: dict[str, Exception] = {}
        self.took: dict[str, float] = {}
        """How long calls of a name take."""
        self.offset = 0.0
        """How far the engine's clock is ahead."""
        self.on_start: Callable[[dict[str, Any]], None] = lambda _: None
        self._delivers: list[Callable[[Signal], None]] = []
        self._numbers = count(1)
        self._lost = asyncio.Event()

    # What a test does to it

    def crash(self, *, containers_too: bool = False) -> None:
        """Let the daemon, or the whole host, go."""
        self.is_up = False
        if containers_too:
            for each in self.documents.values():
                if each["State"]["Running"]:
                    self._end(each, 137, tell=False)
        for deliver in [*self._delivers]:
            deliver(Lost("connection refused"))

    def return_(self) -> None:
        """Come back."""
        self.is_up = True
        for deliver in [*self._delivers]:
            deliver(Connected())

    def die(self, id_: str, code: int = 1) -> None:
        """Let a container end by itself."""
        self._end(self.documents[id_], code)

    def set_health(self, id_: str, status: str) -> None:
        """Let a health check say something."""
        self.documents[id_]["State"]["Health"] = {"Status": status}
        self._tell("health_status", id_)

    # What changes it

    async def close(self) -> None:
        return None

    async def ping(self, timeout: float) -> None:
        async with self._call("ping"):
            pass

    async def info(self) -> Any:
        async with self._call("info"):
            return {
                "ID": "same", "Name": "vm", "NCPU": 8, "MemTotal": self.memory,
                "ServerVersion": "1", "OSType": "linux", "Labels": [f"host={self.name}"],
                "SystemTime": self._time(),
            }  # fmt: skip

    async def containers(self) -> list[Mapping[str, Any]]:
        async with self._call("containers"):
            return [{"Id": id_} for id_ in self.documents]

    async def images(self) -> list[Mapping[str, Any]]:
        async with self._call("images"):
            return [{"Id": f"sha256:{name}", "RepoTags": [name]} for name in sorted(self.has)]

    async def inspect(self, id_: str) -> Any:
        async with self._call("inspect"):
            return deepcopy(self._found(id_))

    async def image_named(self, name: str) -> str | None:
        async with self._call("image_named"):
            return self.named.get(name, "") if name in self.has else None

    async def name_again(self, name: str) -> None:
        async with self._call("name_again", name):
            self.named[name] = self._time()

    async def pull(self, name: str, *, platform: str = "") -> None:
        async with self._call("pull", name):
            self.pulled.append(name)
            self.has.add(name)

    async def create(self, name: str, body: Mapping[str, Any], *, platform: str = "") -> str:
        async with self._call("create", name):
            if any(each["Name"] == f"/{name}" for each in self.documents.values()):
                raise EngineConflict(f"the name {name} is taken")
            id_ = f"{self.name}{next(self._numbers):012}"
            self.documents[id_] = self._document(id_, name, deepcopy(dict(body)))
            self._tell("create", id_)
            return id_

    async def put(self, id_: str, archive: bytes) -> None:
        async with self._call("put", id_):
            self.archives[id_] = archive

    async def start(self, id_: str) -> None:
        async with self._call("start", id_):
            document = self._needed(id_)
            if document["State"]["Running"]:
                return
            document["State"] |= {"Running": True, "Status": "running", "StartedAt": self._time()}
            if "Healthcheck" in document["Config"]:
                document["State"]["Health"] = {"Status": "starting"}
            self._tell("start", id_)
            self.on_start(document)

    async def stop(self, id_: str) -> None:
        async with self._call("stop", id_):
            document = self._found(id_)
            if document is not None and document["State"]["Running"]:
                self._end(document, 0)

    async def remove(self, id_: str) -> None:
        async with self._call("remove", id_):
            document = self._found(id_)
            if document is not None and not document["State"]["Running"]:
                del self.documents[document["Id"]]
                self._tell("destroy", document["Id"])

    async def run(self, id_: str, body: Mapping[str, Any]) -> int:
        async with self._call("run", id_):
            self.execs.append((id_, list(body["Cmd"])))
            return 0

    async def networks(self) -> frozenset[str]:
        async with self._call("networks"):
            return frozenset(self.nets)

    async def make_network(self, name: str, settings: Mapping[str, Any]) -> None:
        async with self._call("make_network", name):
            self.nets.setdefault(name, settings)

    async def connect(self, network: str, id_: str, endpoint: Mapping[str, Any]) -> None:
        async with self._call("connect", network):
            self._needed(id_)["NetworkSettings"]["Networks"][network] = dict(endpoint)

    async def has_volume(self, name: str) -> bool:
        async with self._call("has_volume"):
            return name in self.volumes

    async def make_volume(self, name: str, settings: Mapping[str, Any]) -> None:
        async with self._call("make_volume", name):
            self.volumes.setdefault(name, settings)

    # What follows it

    async def follow(self, deliver: Callable[[Signal], None], *, ping: float) -> None:
        self._delivers.append(deliver)
        try:
            deliver(Connected() if self.is_up else Lost("connection refused"))
            await asyncio.get_running_loop().create_future()
        finally:
            self._delivers.remove(deliver)

    # Inside

    def _call(self, name: str, *words: str) -> "_Call":
        return _Call(self, name, words)

    def _found(self, reference: str) -> dict[str, Any] | None:
        found = self.documents.get(reference)
        return found or next(
            (each for each in self.documents.values() if each["Name"] == f"/{reference}"), None
        )

    def _needed(self, id_: str) -> dict[str, Any]:
        found = self._found(id_)
        if found is None:
            raise EngineRefused(f"no such container: {id_}")
        return found

    def _document(self, id_: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
        host = body.pop("HostConfig", {})
        networks = body.pop("NetworkingConfig", {}).get("EndpointsConfig", {})
        return {
            "Id": id_,
            "Name": f"/{name}",
            "Created": self._time(),
            "Image": f"sha256:{body['Image']}",
            "Config": body,
            "HostConfig": host,
            "NetworkSettings": {"Networks": networks, "Ports": {}},
            "Mounts": [],
            "State": {"Status": "created", "Running": False, "ExitCode": 0},
        }

    def _end(self, document: dict[str, Any], code: int, *, tell: bool = True) -> None:
        document["State"] |= {
            "Running": False, "Status": "exited", "ExitCode": code, "FinishedAt": self._time(),
        }  # fmt: skip
        document["State"].pop("Health", None)
        if tell:
            self._tell("die", document["Id"])

    def _time(self) -> str:
        moment = datetime.fromtimestamp(self.yard.clock.wall() + self.offset, UTC)
        return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")

    def _tell(self, action: str, id_: str) -> None:
        if self.is_up and not self.is_frozen:
            for deliver in [*self._delivers]:
                deliver(Event(id=id_, action=action, time_nano=1))


class _Call:
    """One call: fails, hangs or takes its time as the engine does just now."""

    def __init__(self, dock: Dock, name: str, words: tuple[str, ...]) -> None:
        self._dock = dock
        self._name = name
        self._words = words

    async def __aenter__(self) -> None:
        dock = self._dock
        await dock.yard.pass_by()
        if dock.is_frozen:
            await asyncio.sleep(10.0)  # the limit of a call
            raise EngineUnavailable("no answer")
        if not dock.is_up:
            raise EngineUnavailable("connection refused")
        if self._name in dock.took:
            await asyncio.sleep(dock.took[self._name])
        if self._name in dock.failing:
            raise dock.failing[self._name]
        dock.calls.append((self._name, *self._words))

    async def __aexit__(self, *_: object) -> None:
        await self._dock.yard.pass_by()


@contextmanager
def failing(dock: Dock, call: str, error: Exception) -> Iterator[None]:
    """Let calls of a name fail for a while."""
    dock.failing[call] = error
    try:
        yield
    finally:
        del dock.failing[call]
