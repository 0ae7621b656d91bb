"""Vault (against a server of its shape only) and metadata over HTTP."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.stores.json_client import JsonClient, TlsFiles
from templater.backends.secrets import Login
from templater.backends.vault import VaultBackend
from tests.support.confd import Confd
from tests.support.consul_template import ConsulTemplate
from tests.support.vault_shape import VaultShape, vault_shape


@pytest.fixture
def vault() -> Iterator[VaultShape]:
    with vault_shape() as shape:
        shape.secrets = {
            "secret/app": {"value": "top"},
            "secret/app/db": {"user": "u", "password": "p"},
            "kv/team/db": {"user": "v2"},
        }
        yield shape


@pytest.fixture
async def backend(vault: VaultShape) -> AsyncIterator[VaultBackend]:
    made = VaultBackend(JsonClient(vault.url), lambda: Login(token="root"), poll=0.05)
    yield made
    await made.close()


async def test_both_versions_of_kv_are_read_with_all_below(backend: VaultBackend) -> None:
    assert await backend.read(["/secret/app"]) == {
        "/secret/app": "top",
        "/secret/app/db": '{"password":"p","user":"u"}',
        "/secret/app/db/password": "p",
        "/secret/app/db/user": "u",
    }
    assert (await backend.read(["/kv/team"]))["/kv/team/db/user"] == "v2"
    assert await backend.read(["/secret/none"]) == {}


async def test_a_key_written_with_the_data_of_version_two_is_as_in_confd(
    backend: VaultBackend,
) -> None:
    found = await backend.read(["/kv/data/team/db"])
    assert found["/kv/data/team/db/data/user"] == "v2"


async def test_a_change_is_seen_at_a_later_look(backend: VaultBackend, vault: VaultShape) -> None:
    stream = backend.watch("/secret/app/db")
    assert (await anext(stream))["/secret/app/db/user"] == "u"
    vault.secrets["secret/app/db"] = {"value": "new"}
    assert await anext(stream) == {"/secret/app/db": "new"}
    await stream.aclose()


async def test_a_token_that_ended_is_replaced(vault: VaultShape) -> None:
    login = Login("/v1/auth/approle/login", {"role_id": "r", "secret_id": "s"})
    backend = VaultBackend(JsonClient(vault.url), lambda: login)
    await backend.read(["/secret/app"])
    vault.token = "second"
    await backend.read(["/secret/app"])
    assert vault.logins == 2
    await backend.close()


async def test_a_refused_login_is_told_without_secrets(vault: VaultShape) -> None:
    login = Login("/v1/auth/approle/login", {"role_id": "r", "secret_id": "hunter2"})
    backend = VaultBackend(JsonClient(vault.url), lambda: login)
    with pytest.raises(StoreDenied, match="invalid role or secret ID") as raised:
        await backend.read(["/secret/app"])
    assert "hunter2" not in str(raised.value)
    await backend.close()


async def test_a_server_that_is_away_or_talks_nonsense_is_unavailable(vault: VaultShape) -> None:
    client = JsonClient("http://127.0.0.1:1")
    with pytest.raises(StoreUnavailable):
        await client.ask("GET", "/v1/x")
    await client.close()
    with pytest.raises(StoreDenied, match="certificates"):
        TlsFiles(authorities="/nonexistent").context()


def test_the_drop_in_reads_vault(vault: VaultShape, tmp_path: Path) -> None:
    with Confd(tmp_path) as confd:
        confd.backend = (
            "-backend",
            "vault",
            "-node",
            vault.url,
            "-auth-type",
            "token",
            "-auth-token",
            "root",
        )
        dest = confd.out / "web"
        confd.resource("web", '{{getv "/app/db/user"}}', keys='["/app"]', prefix="/secret")
        done = confd.once()
        assert done.returncode == 0, done.stderr
        assert dest.read_text() == "u"
        done = confd.run("-onetime", "-auth-type", "")
        assert done.returncode == 1
        assert "you have to set the auth type" in done.stderr


async def test_consul_templates_secrets_are_vaults(vault: VaultShape, tmp_path: Path) -> None:
    text = (
        '{{ with secret "secret/app/db" }}{{ .Data.user }}{{ end }} '
        '{{ with secret "kv/team/db" }}{{ .Data.data.user }}{{ end }} '
        '{{ with secret "kv/data/team/db" }}{{ .Data.data.user }}{{ end }} '
        '{{ range secrets "secret/app" }}{{ . }}{{ end }}'
    )
    with ConsulTemplate(tmp_path, "127.0.0.1:1") as program:
        dest = program.template("web", text)
        line = f"{program.folder / 'web.ctmpl'}:{dest}"
        where = ("-vault-addr", vault.url, "-vault-token", "root")
        done = await asyncio.to_thread(program.run, "-once", "-template", line, *where)
        assert done.returncode == 0, done.stderr
        assert dest.read_text() == "u v2 v2 db"
        wrong = (*where[:-1], "other", "-vault-retry-attempts", "1")
        denied = await asyncio.to_thread(program.run, "-once", "-template", line, *wrong)
        assert denied.returncode == 14
        assert "permission denied" in denied.stderr


async def test_consul_templates_token_may_be_wrapped_or_kept_by_vaults_agent(
    vault: VaultShape, tmp_path: Path
) -> None:
    kept = tmp_path / "token"
    kept.write_text("root\n")
    with ConsulTemplate(tmp_path, "127.0.0.1:1") as program:
        dest = program.template("web", '{{ with secret "secret/app/db" }}{{ .Data.user }}{{ end }}')
        line = f"{program.folder / 'web.ctmpl'}:{dest}"
        where = ("-once", "-template", line, "-vault-addr", vault.url)
        for words in (
            ("-vault-token", "wrapped", "-vault-unwrap-token"),
            ("-vault-agent-token-file", str(kept)),
        ):
            done = await asyncio.to_thread(program.run, *where, *words)
            assert done.returncode == 0, done.stderr
            assert dest.read_text() == "u"
            dest.unlink()


class _Metadata(BaseHTTPRequestHandler):
    """A metadata service of Rancher's shape."""

    documents: ClassVar[dict[str, object]] = {
        "/latest/": {"self": {"name": "web", "ips": ["10.0.0.1", "10.0.0.2"], "scale": 2}},
        "/latest/self": {"name": "web", "ips": ["10.0.0.1", "10.0.0.2"], "scale": 2},
    }

    def do_GET(self) -> None:
        found = self.documents.get(self.path)
        body = json.dumps(found).encode()
        self.send_response(404 if found is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_the_drop_in_reads_the_metadata_of_rancher(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Metadata) as server, Confd(tmp_path) as confd:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            node = f"http://127.0.0.1:{server.server_port}"
            confd.backend = ("-backend", "rancher", "-node", node)
            dest = confd.resource("web", '{{getv "/self/name"}}{{getvs "/self/ips/*"}}')
            own = confd.resource("own", '{{getv "/self/scale"}}', keys='["/self"]')
            done = confd.once()
            assert done.returncode == 0, done.stderr
            assert dest.read_text() == "web[10.0.0.1 10.0.0.2]"
            assert own.read_text() == "2"
        finally:
            server.shutdown()
            thread.join()
