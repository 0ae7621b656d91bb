"""An engine whose containers begin and end faster than a real one's can."""

import json
import time
from pathlib import Path
from typing import Any

from tests.support.docker import document
from tests.support.stub_engine import StubEngine, answer

__all__ = ["BusyEngine"]


class BusyEngine(StubEngine):
    """Containers begin and end at a call, and are told. ``lists`` answers the next lists."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.lists: list[bytes] = []
        self.documents: dict[str, dict[str, Any]] = {}
        self._number = 0
        self.answers |= {
            "_ping": answer(b"OK", kind="text/plain"),
            "info": answer(b'{"ID":"busy","Name":"busy","ServerVersion":"20.10"}'),
        }

    def begin(self, name: str, port: int, *, tell: bool = True) -> str:
        """Start a container with one published port; return its id."""
        self._number += 1
        id_ = f"{self._number:064x}"
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() % 10**9:09d}Z"
        self.documents[id_] = document(
            name, published={"80/tcp": f":{port}"}, id_=id_, StartedAt=at
        )
        if tell:
            self.say("start", id_)
        return id_

    def end(self, id_: str, *, tell: bool = True) -> None:
        """Let a container end and vanish."""
        self.documents.pop(id_)
        if tell:
            self.say("die", id_)

    def say(self, action: str, id_: str) -> None:
        """Tell of a container, be it true or late."""
        actor = {"ID": id_, "Attributes": {"exitCode": "0"}}
        event = {"Type": "container", "Action": action, "Actor": actor}
        self.tell(json.dumps(event | {"timeNano": time.time_ns()}).encode() + b"\n")

    def answer_to(self, path: str) -> bytes:
        if path == "containers/json":
            listed = json.dumps([{"Id": id_} for id_ in self.documents]).encode()
            return self.lists.pop(0) if self.lists else answer(listed)
        if path.startswith("containers/"):
            found = self.documents.get(path.split("/")[1])
            missing = answer(b'{"message":"No such container"}', 404)
            return missing if found is None else answer(json.dumps(found).encode())
        return super().answer_to(path)
