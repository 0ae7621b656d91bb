"""The drop-in for consul-template as a real process, in a folder of its own."""

import http.client
import json
from pathlib import Path

from deploy.tools.consul import Consul
from tests.support.program import Program

__all__ = ["ConsulTemplate", "Writer"]


class Writer:
    """Writes to a real Consul; nothing is kept open."""

    def __init__(self, consul: Consul) -> None:
        """Write to this agent."""
        self._consul = consul

    def put(self, key: str, value: str) -> None:
        """Write a key."""
        self.ask("PUT", f"kv/{key}", value)

    def delete(self, prefix: str) -> None:
        """Remove all keys below a prefix."""
        self.ask("DELETE", f"kv/{prefix}?recurse=")

    def register(self, name: str, id_: str, port: int, status: str = "passing") -> None:
        """Register an instance with a check of its own."""
        check = {"CheckID": f"c-{id_}", "TTL": "1h", "Status": status}
        body = {"Name": name, "ID": id_, "Port": port, "Tags": ["b", "a"], "Check": check}
        self.ask("PUT", "agent/service/register", json.dumps(body))

    def deregister(self, id_: str) -> None:
        """Take an instance away."""
        self.ask("PUT", f"agent/service/deregister/{id_}")

    def ask(self, method: str, path: str, body: str = "") -> None:
        """Send one request, which must succeed."""
        connection = http.client.HTTPConnection("127.0.0.1", self._consul.ports["http"], timeout=10)
        try:
            connection.request(method, f"/v1/{path}", body)
            response = connection.getresponse()
            text = response.read()
            assert response.status == 200, text
        finally:
            connection.close()


class ConsulTemplate(Program):
    """A folder with templates and configuration, and the program on it."""

    def __init__(self, folder: Path, address: str) -> None:
        """Prepare; ``address`` is the agent's."""
        super().__init__(folder, "consul-template")
        self.address = address

    def template(self, name: str, text: str) -> Path:
        """Write a template; return the destination that goes with it."""
        (self.folder / f"{name}.ctmpl").write_text(text)
        return self.folder / "out" / name

    def config(self, text: str) -> Path:
        """Write the configuration file."""
        path = self.folder / "config.hcl"
        path.write_text(text)
        return path

    def block(self, name: str, text: str, more: str = "") -> str:
        """Write a template; return its block for the configuration."""
        dest = self.template(name, text)
        source = self.folder / f"{name}.ctmpl"
        return f'template {{\n source = "{source}"\n destination = "{dest}"\n {more}\n}}\n'

    def words(self, *arguments: str) -> list[str]:
        """Return the whole command line."""
        return [str(self.program), "-consul-addr", self.address, "-log-level", "info", *arguments]
