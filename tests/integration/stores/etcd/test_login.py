"""Passwords, tokens and certificates: who is let in, who is told why not, and what is not shown."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.tools.etcd import Etcd
from sidecar.catalog.live import Catalog
from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.runtime.clock import SystemClock
from sidecar.stores.base import EdgeOptions
from sidecar.stores.etcd import gateway
from sidecar.stores.etcd.edge import EtcdEdge
from sidecar.stores.etcd.opening import open_edge, open_keyvalue, open_mirror
from tests.integration.stores.conformance.kit import (
    HERE,
    entry,
    eventually,
    mirrored,
    running,
    wanted,
)

pytestmark = pytest.mark.etcd
CLOCK = SystemClock()
PASSWORD = "c4n4ry-s3cret"
OPTIONS = EdgeOptions(ttl=30)


@pytest.fixture(scope="module")
def guarded() -> Iterator[Etcd]:
    """An etcd that bob may use below /s/, whose tokens last a second."""
    with Etcd(arguments=["--auth-token-ttl=1"]) as etcd:
        etcd.require_login("bob", PASSWORD, ["/s/", "_pinnace/registrar/s/"])
        yield etcd


def edge_on(etcd: Etcd, login: str, path: str = "/s") -> EtcdEdge:
    url = f"etcd://{login}127.0.0.1:{etcd.port}{path}"
    return open_edge(url, OPTIONS, clock=CLOCK, environ={})


async def test_who_has_the_password_is_let_in_and_stays_so(
    guarded: Etcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "_IDLE", 2.2)  # the watch begins again after its token went
    edge = edge_on(guarded, f"bob:{PASSWORD}@")
    mirror = open_mirror
    url = f"etcd://bob:{PASSWORD}@127.0.0.1:{guarded.port}/s"
    async with (
        running(edge),
        mirrored(lambda catalog: mirror(url, catalog, clock=CLOCK, environ={})) as (catalog, shown),
    ):
        await edge.ping()
        assert await edge.write(wanted(entry())) == {}
        keys = open_keyvalue(url, clock=CLOCK, environ={})
        assert len((await keys.list("/s/")).entries) == 1
        await asyncio.sleep(3)  # the tokens are forgotten by now
        assert len((await keys.list("/s/")).entries) == 1
        await keys.close()
        assert await edge.write(wanted(entry(port=21002))) == {}

        async def are_shown() -> bool:
            return len(catalog.snapshot.services.get("web", ())) == 2

        await eventually(are_shown, 2.0, "both")
        assert shown.trouble() is None


@pytest.mark.parametrize(
    ("login", "path"),
    [
        ("", "/s"),
        ("bob:wrong@", "/s"),
        (f"nobody:{PASSWORD}@", "/s"),
        (f"bob:{PASSWORD}@", "/other"),
    ],
    ids=["no login", "wrong password", "unknown user", "no right to these keys"],
)
async def test_who_may_not_is_denied(guarded: Etcd, login: str, path: str) -> None:
    edge = edge_on(guarded, login, path)
    # by reading: etcd 3.4 does not ask who may run what a transaction holds in transactions
    with pytest.raises(StoreDenied) as caught:
        await edge.audit({}, HERE)
    seen = f"{caught.value!r} {edge.trouble()} {edge.url} {edge!r}"
    assert edge.trouble()
    assert PASSWORD not in seen
    assert "wrong" not in seen
    catalog = Catalog()
    url = f"etcd://{login}127.0.0.1:{guarded.port}{path}"
    mirror = open_mirror(url, catalog, clock=CLOCK, environ={})
    with pytest.raises(StoreDenied):
        await mirror.run(lambda: None)
    assert not catalog.synced
    await edge.close()


async def test_a_store_that_wants_no_login_takes_no_notice_of_one(server: Etcd) -> None:
    edge = edge_on(server, f"bob:{PASSWORD}@")
    async with running(edge):
        assert await edge.write(wanted(entry())) == {}


async def test_a_login_that_is_switched_on_later_is_used(etcd: Etcd) -> None:
    edge = edge_on(etcd, f"bob:{PASSWORD}@")
    async with running(edge):
        await edge.write(wanted(entry()))
        etcd.require_login("bob", PASSWORD, ["/s/", "_pinnace/registrar/s/"])
        assert await edge.write(wanted(entry(port=21002))) == {}
        assert len(await edge.audit({}, HERE)) == 2


async def test_rights_that_change_do_not_end_a_login(guarded: Etcd) -> None:
    keys = open_keyvalue(f"etcd://bob:{PASSWORD}@127.0.0.1:{guarded.port}", clock=CLOCK, environ={})
    await keys.list("/s/")
    guarded.call_as_root("auth/role/add", name=f"another-{id(keys)}")
    await keys.list("/s/")
    await keys.put("/s/later", b"1")
    await keys.delete("/s/later")
    await keys.close()


# --- certificates ------------------------------------------------------------------------------


def certify(folder: Path) -> Path:
    """Make an authority and one certificate for both sides."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(
        "req",
        "-x509",
        *curve,
        "-days",
        "1",
        "-subj",
        "/CN=ca",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
    )
    openssl("req", *curve, "-subj", "/CN=node", "-keyout", "key.pem", "-out", "node.csr")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    openssl(
        "x509", "-req", "-in", "node.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
        "-days", "1", "-extfile", "names", "-out", "cert.pem",
    )  # fmt: skip
    return folder


@pytest.mark.parametrize("scheme", ["etcds", "etcd2s"])
async def test_certificates_let_in_who_has_them(tmp_path: Path, scheme: str) -> None:
    folder = certify(tmp_path)
    files = {
        "ETCDCTL_CACERT": str(folder / "ca.pem"),
        "ETCDCTL_CERT": str(folder / "cert.pem"),
        "ETCDCTL_KEY": str(folder / "key.pem"),
    }
    with Etcd(v2=True, tls=folder) as etcd:
        url = f"{scheme}://127.0.0.1:{etcd.port}/s"
        edge = open_edge(url, OPTIONS, clock=CLOCK, environ=files)
        async with running(edge):
            await edge.ping()
            assert await edge.write(wanted(entry())) == {}
        nobody = dict.fromkeys(files, "")
        stranger = files | {"ETCDCTL_CERT": "", "ETCDCTL_KEY": ""}
        missing = files | {"ETCDCTL_CACERT": str(folder / "none.pem")}
        for environ in (nobody, stranger, missing):
            other = open_edge(url, OPTIONS, clock=CLOCK, environ=environ)
            with pytest.raises(StoreUnavailable):
                await other.write(wanted(entry()))
            assert other.trouble()
            await other.close()


async def test_renewed_certificates_are_read_again(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        certify(tmp_path / name)
    files = tmp_path / "files"
    files.symlink_to("old")
    environ = {
        "ETCDCTL_CACERT": str(files / "ca.pem"),
        "ETCDCTL_CERT": str(files / "cert.pem"),
        "ETCDCTL_KEY": str(files / "key.pem"),
    }
    with Etcd(tls=tmp_path / "new") as etcd:
        url = f"etcds://127.0.0.1:{etcd.port}/s"
        edge = open_edge(url, OPTIONS, clock=CLOCK, environ=environ)
        with pytest.raises(StoreUnavailable):
            await edge.write(wanted(entry()))
        files.unlink()
        files.symlink_to("new")
        assert await edge.write(wanted(entry())) == {}
        await edge.close()
