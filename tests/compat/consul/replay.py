"""Send a scenario to one side over one connection and keep what it answers."""

import gzip
import http.client
import re
import time
from collections.abc import Iterable
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from tests.compat.consul.recording import Answer, Exchange, Recording
from tests.compat.consul.steps import Step

__all__ = ["Side", "replay"]

HEADERS = (
    "Content-Type", "Content-Encoding", "Content-Security-Policy", "X-Content-Type-Options",
    "Allow", "Location", "Vary", "X-Cache", "Age", "X-Consul-Index", "X-Consul-Knownleader",
    "X-Consul-Lastcontact", "X-Consul-Effective-Consistency", "X-Consul-Reason",
    "X-Consul-Contenthash",
)  # fmt: skip
SETTLE_LIMIT = 2.0
QUIET = 0.005
_SYMBOL = re.compile(r"\$\{(\w+)\}")


def replay(url: str, steps: Iterable[Step], settle_limit: float = SETTLE_LIMIT) -> Recording:
    """Send all steps in order and return the answers."""
    with closing(Side(url, settle_limit)) as side:
        return Recording(side.node, tuple(side.exchange(step) for step in steps))


class Side:
    """One connection to one side, and the symbols its answers have given."""

    def __init__(self, url: str, settle_limit: float = SETTLE_LIMIT) -> None:
        """Connect and learn the node's name."""
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        self.settle_limit = settle_limit
        self.node = str(self.read("/v1/agent/self")["Config"]["NodeName"])
        self.symbols = {"node": self.node}

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def exchange(self, step: Step) -> Exchange:
        """Send a step, keep what it saves, wait until an agent's change is in the catalogue."""
        answer = self.send(step)
        deadline = time.monotonic() + self.settle_limit
        wanted = self.filled(step.until).encode()
        while wanted not in answer.body and time.monotonic() < deadline:
            time.sleep(0.002)
            answer = self.send(step)
        for symbol, pointer in step.save:
            self.symbols[symbol] = _pointed(answer, pointer)
        return Exchange(step, answer, self.settle() if step.changes_agent else True)

    def send(self, step: Step) -> Answer:
        """Send one request; a server that answers before it has read everything is heard out."""
        body = self.filled(step.body.decode("latin-1")).encode("latin-1")
        headers = dict(step.headers)
        try:
            self.connection.request(step.method, self.filled(step.path), body or None, headers)
        except (BrokenPipeError, ConnectionResetError):
            if self.connection.sock is None:
                raise
        response = self.connection.getresponse()
        content = response.read()
        if response.headers.get("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        kept = {name: response.headers[name] for name in HEADERS if name in response.headers}
        return Answer(response.status, kept, content)

    def read(self, path: str) -> Any:
        """Return the decoded body of a read."""
        return self.send(Step(path=path)).json()

    def filled(self, text: str) -> str:
        """Return the text with symbols replaced by what this side answered."""
        return _SYMBOL.sub(lambda found: self.symbols.get(found[1], "missing"), text)

    def settle(self) -> bool:
        """Wait until the catalogue holds the agent's services and checks, output aside.

        The agent tells the catalogue on its own time; a reader must not race with that.
        """
        deadline = time.monotonic() + self.settle_limit
        while time.monotonic() < deadline:
            if self.is_settled():
                time.sleep(QUIET)  # a second pass of the agent may still be under way
                return True
            time.sleep(0.001)
        return False

    def is_settled(self) -> bool:
        """Whether agent and catalogue tell the same now."""
        services = self.read("/v1/agent/services")
        checks = self.read("/v1/agent/checks")
        node = self.read(f"/v1/catalog/node/{self.node}")
        health = self.read(f"/v1/health/node/{self.node}")
        if not all(isinstance(part, dict) for part in (services, checks, node)):
            return False
        there = {k: v for k, v in node["Services"].items() if k != "consul"}
        listed = {v["CheckID"]: v for v in health or [] if v["CheckID"] != "serfHealth"}
        return _alike(services, there) and _alike(checks, listed)


def _alike(mine: dict[str, Any], theirs: dict[str, Any]) -> bool:
    if mine.keys() != theirs.keys():
        return False
    # the catalogue keeps the tags a check was registered with
    ignored = {"Output", "ServiceTags", "CreateIndex", "ModifyIndex", "ContentHash"}
    return all(
        (value or None) == (theirs[identity].get(key, value) or None)
        for identity, fields in mine.items()
        for key, value in fields.items()
        if key not in ignored
    )


def _pointed(answer: Answer, pointer: str) -> str:
    kind, _, rest = pointer.partition(".")
    if kind == "header":
        return answer.headers.get(rest, "0")
    found = answer.json()
    for part in rest.split("."):
        try:
            found = found[int(part) if isinstance(found, list) else part]
        except (KeyError, IndexError, TypeError, ValueError):
            return "0"
    return str(found)
