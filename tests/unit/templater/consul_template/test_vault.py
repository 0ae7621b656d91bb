"""Which token is sent to Vault."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sidecar.errors import StoreUnavailable
from sidecar.stores.json_client import JsonClient
from templater.consul_template.vault import Vault


class Server(JsonClient):
    """Notes what is asked with which headers."""

    def __init__(self, unwrapped: object = None) -> None:
        """Open nothing."""
        super().__init__("http://127.0.0.1:1")
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.unwrapped = unwrapped

    async def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **_: Any
    ) -> Any:
        """Answer at once."""
        self.asked.append((f"{method} {path}", dict(headers or {})))
        return self.unwrapped if path.endswith("/unwrap") else {"path": path}

    @property
    def tokens(self) -> list[str]:
        """The tokens that were sent."""
        return [headers["X-Vault-Token"] for _, headers in self.asked]


async def test_headers_carry_token_namespace_and_agent() -> None:
    server = Server()
    vault = Vault(server, token="t", namespace="ns", user_agent="me/1")
    assert await vault.ask("GET", "/v1/x") == {"path": "/v1/x"}
    (found,) = server.asked
    assert found == (
        "GET /v1/x",
        {
            "X-Vault-Token": "t", "X-Vault-Request": "true", "X-Vault-Namespace": "ns",
            "User-Agent": "me/1",
        },
    )  # fmt: skip


async def test_a_wrapped_token_is_exchanged_once_whoever_asks_first() -> None:
    server = Server({"auth": {"client_token": "inner"}})
    vault = Vault(server, token="outer", is_wrapped=True)
    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(vault.ask("GET", f"/v1/{number}"))
    assert server.tokens == ["outer", "inner", "inner", "inner"]


@pytest.mark.parametrize("answer", [None, {}, {"auth": {}}, {"auth": {"client_token": ""}}])
async def test_a_wrap_without_a_token_is_told_and_tried_again(answer: object) -> None:
    server = Server(answer)
    vault = Vault(server, token="outer", is_wrapped=True)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="holds no token"):
            await vault.ask("GET", "/v1/x")
    assert server.tokens == ["outer", "outer"]


async def test_the_token_of_vaults_agent_is_read_again_for_each_request(tmp_path: Path) -> None:
    server, path = Server(), tmp_path / "token"
    vault = Vault(server, token="unused", token_file=str(path))
    with pytest.raises(StoreUnavailable, match=f"cannot read the token: {path}"):
        await vault.ask("GET", "/v1/x")
    for text in ("one\n", "two"):
        path.write_text(text)
        await vault.ask("GET", "/v1/x")
    assert server.tokens == ["one", "two"]
