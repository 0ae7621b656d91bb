"""TLS through real proxies: names, redirects, HTTP/2, certificates that change."""

import asyncio
import hashlib
import ssl
from pathlib import Path

import pytest

from sidecar.catalog.model import CERT_NAME, HSTS, HTTP_HOST, HTTPS_METHOD, Instance
from templater import extras
from templater.haproxy import driver
from templater.nginx import plan
from tests.integration.templater.harness import Bench, backends, free_port, instance, running, until
from tests.support.certificates import make, pair, shown

BOTH = [
    pytest.param("haproxy", marks=pytest.mark.haproxy),
    pytest.param("nginx", marks=pytest.mark.nginx),
]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_GAP", 0.1)
    monkeypatch.setattr(extras, "_LOOK", 0.1)


class TlsBench(Bench):
    """A load balancer that serves TLS too."""

    def __init__(self, tmp_path: Path, kind: str) -> None:
        self.folder = tmp_path / "certificates"
        self.folder.mkdir()
        self.tls = free_port()
        super().__init__(
            tmp_path, kind=kind, tls_listen=f"127.0.0.1:{self.tls}", certificates=str(self.folder)
        )

    async def curl(self, url: str, *options: str) -> str:
        """Return what curl prints for a URL of which every host is this load balancer."""
        process = await asyncio.create_subprocess_exec(
            "curl", "-sk", "--max-time", "10", *options,
            "--connect-to", f"::127.0.0.1:{self.tls if url.startswith('https') else self.port}",
            url, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
        return out.decode()

    async def until_shown(self, host: str, fingerprint: str | None) -> None:
        async with asyncio.timeout(15):
            while await shown(self.tls, host) != fingerprint:
                await asyncio.sleep(0.02)


def asks(port: int, hosts: str, service: str = "web", **meta: str) -> Instance:
    keys = {"method": HTTPS_METHOD, "name": CERT_NAME, "hsts": HSTS}
    return instance(
        service, port, service, meta={HTTP_HOST: hosts} | {keys[k]: v for k, v in meta.items()}
    )


CODE = ("-o", "/dev/null", "-w", "%{http_code} %{redirect_url}")


@pytest.mark.parametrize("kind", BOTH)
async def test_each_host_shows_the_certificate_of_its_name_and_is_redirected_as_it_asks(
    tmp_path: Path, kind: str
) -> None:
    async with backends(1) as (web,):
        bench = TlsBench(tmp_path, kind)
        prints = {
            name: await asyncio.to_thread(make, bench.folder, name)
            for name in ("example.org", "shop.example.org", "shared")
        }
        async with running(bench):
            bench.put(
                asks(web, "a.example.org,x.y.example.org,shop.example.org", "web"),
                asks(web, "named.example.net", "named", name="shared", hsts="off"),
                asks(web, "both.example.org", "both", method="noredirect"),
                asks(web, "only.example.org", "only", method="nohttp", hsts="max-age=9; preload"),
                asks(web, "plain.example.org", "plain", method="nohttps"),
                asks(web, "bare.example.com", "bare"),
                asks(web, "lost.example.com", "lost", method="nohttp"),
            )
            await bench.applied("reload")
            assert await shown(bench.tls, "named.example.net") == prints["shared"]
            for host, name in {
                "a.example.org": "example.org", "x.y.example.org": "example.org",
                "shop.example.org": "shop.example.org", "both.example.org": "example.org",
                "only.example.org": "example.org",
            }.items():  # fmt: skip
                assert await shown(bench.tls, host) == prints[name], host
            for host in ("bare.example.com", "nobody.example.com"):
                assert await shown(bench.tls, host) is None, host

            to = f"https://a.example.org:{bench.tls}/p?q=1"
            assert await bench.curl("http://a.example.org/p?q=1", *CODE) == f"301 {to}"
            assert await bench.curl("http://A.example.org:1/p?q=1", "-X", "POST", *CODE) == (
                f"308 {to}"
            )
            assert await bench.curl("http://both.example.org/", *CODE) == "200 "
            assert await bench.curl("http://only.example.org/", *CODE) == "404 "
            assert await bench.curl("http://plain.example.org/", *CODE) == "200 "
            assert await bench.curl("http://lost.example.com/", *CODE) == "404 "
            for host in ("a.example.org", "both.example.org", "only.example.org"):
                assert await bench.curl(f"https://{host}/") == str(web), host
            assert await bench.curl("https://plain.example.org/", *CODE) in {"404 ", "000 "}

            told = {
                host: [
                    line.partition(": ")[2].strip().replace(" ", "")
                    for line in (await bench.curl(f"https://{host}/", "-D", "-")).split("\n")
                    if line.lower().startswith("strict-transport-security")
                ]
                for host in ("a.example.org", "named.example.net", "both.example.org",
                             "only.example.org")
            }  # fmt: skip
            assert told == {
                "a.example.org": ["max-age=31536000"], "named.example.net": [],
                "both.example.org": [], "only.example.org": ["max-age=9;preload"],
            }  # fmt: skip
            (problem,) = bench.lb.status()["problems"]  # type: ignore[misc]
            assert problem["service"] == "lost"  # type: ignore[has-type]
            assert problem["field"] == HTTPS_METHOD  # type: ignore[has-type]


@pytest.mark.parametrize("kind", BOTH)
async def test_http_2_is_offered_by_tls(tmp_path: Path, kind: str) -> None:
    async with backends(1) as (web,):
        bench = TlsBench(tmp_path, kind)
        await asyncio.to_thread(make, bench.folder, "example.org")
        async with running(bench):
            bench.put(asks(web, "a.example.org"))
            await bench.applied("reload")
            asked = ("-o", "/dev/null", "-w", "%{http_version} %{http_code}")
            assert await bench.curl("https://a.example.org/", "--http2", *asked) == "2 200"
            assert await bench.curl("https://a.example.org/", "--http1.1", *asked) == "1.1 200"


@pytest.mark.parametrize("kind", BOTH)
async def test_a_changed_certificate_is_shown_and_a_broken_one_is_not(
    tmp_path: Path, kind: str
) -> None:
    """While requests go on by TLS, none of which may fail with HAProxy."""
    async with backends(1) as (web,):
        bench = TlsBench(tmp_path, kind)
        first = await asyncio.to_thread(make, bench.folder, "example.org")
        async with running(bench), asyncio.TaskGroup() as group:
            bench.put(asks(web, "a.example.org"))
            await bench.applied("reload")
            assert await shown(bench.tls, "a.example.org") == first
            reloads = await bench.reloads() if kind == "haproxy" else 0
            load = Load(bench.tls)
            task = group.create_task(load.run())
            second = await asyncio.to_thread(make, bench.folder, "example.org")
            await bench.until_shown("a.example.org", second)

            _, key = await asyncio.to_thread(pair, tmp_path, "other")
            (bench.folder / "example.org.key").write_bytes(key.read_bytes())
            await said(bench, "example.org.crt: key values mismatch; the last one stays")
            (bench.folder / "example.org.crt").write_text("-----BEGIN CERTIFICATE-----\nno")
            await said(bench, "example.org.crt: this is no certificate; the last one stays")
            assert await shown(bench.tls, "a.example.org") == second
            third = await asyncio.to_thread(make, bench.folder, "example.org")
            await bench.until_shown("a.example.org", third)
            await said(bench, "")
            task.cancel()
            assert load.done > 0
            assert load.failed == 0, load.failed
            if kind == "haproxy":
                assert await bench.reloads() == reloads
                assert bench.last["kind"] == "runtime"


@pytest.mark.parametrize("kind", BOTH)
async def test_certificates_come_and_go_with_their_files(tmp_path: Path, kind: str) -> None:
    async with backends(1) as (web,):
        bench = TlsBench(tmp_path, kind)
        async with running(bench):
            bench.put(asks(web, "a.example.org"))
            await bench.applied("reload")
            assert await shown(bench.tls, "a.example.org") is None
            last = bench.applied_last()
            default = await asyncio.to_thread(make, bench.folder, "default")
            await bench.applies(last)
            assert await shown(bench.tls, "a.example.org") == default
            assert await bench.curl("http://a.example.org/", *CODE) == "200 "
            assert await bench.curl("https://a.example.org/") == str(web)
            assert await bench.curl("https://nobody.example.org/", *CODE) == "404 "
            await asyncio.to_thread(make, bench.folder, "a.example.org")
            await bench.answers("a.example.org", 301)
            for path in bench.folder.glob("a.example.org.*"):
                path.unlink()
            await bench.until_shown("a.example.org", default)
            await until(lambda: len(keys(bench)) == 1, 15)
            assert keys(bench) == {"default"}
            assert bench.lb.trouble() is None
        assert keys(bench) == set()


@pytest.mark.haproxy
async def test_a_certificate_changed_by_hand_is_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver.Driver, "audit", 0.2)
    bench = TlsBench(tmp_path, "haproxy")
    first = await asyncio.to_thread(make, bench.folder, "a.org")
    other = [path.read_text() for path in await asyncio.to_thread(pair, tmp_path, "other")]
    async with running(bench):
        assert await shown(bench.tls, "a.org") == first
        file = "certificate_a.org.pem"
        await bench.ask(f"set ssl cert {file} <<\n{''.join(other)}")
        assert "Success!" in await bench.ask(f"commit ssl cert {file}")
        await bench.until_shown("a.org", first)
        await until(lambda: bench.lb.trouble() is None, 15)


@pytest.mark.haproxy
async def test_a_chain_that_is_too_long_for_the_runtime_api_is_a_reload(tmp_path: Path) -> None:
    bench = TlsBench(tmp_path, "haproxy")
    await asyncio.to_thread(make, bench.folder, "a.org")
    async with running(bench):
        chain, key = await asyncio.to_thread(pair, tmp_path, "other")
        whole = [chain.read_text()]
        for number in range(30):  # what a client does not need is sent all the same
            path, _ = await asyncio.to_thread(pair, tmp_path, f"above{number}")
            whole.append(path.read_text())
        text = "".join(whole)
        assert len(text) > 16384
        (tmp_path / "other.pem").write_text(text + key.read_text())
        (bench.folder / "a.org.key").unlink()
        (bench.folder / "a.org.crt").unlink()
        (tmp_path / "other.pem").rename(bench.folder / "a.org.pem")
        wanted = hashlib.sha256(ssl.PEM_cert_to_DER_cert(whole[0])).hexdigest()
        await bench.until_shown("a.org", wanted)
        await bench.applied("reload")
        assert bench.lb.trouble() is None


def keys(bench: Bench) -> set[str]:
    """Return whose keys the proxy's directory holds."""
    return {
        path.name.split("_")[1].removesuffix(".pem") for path in bench.dir.glob("certificate_*")
    }


async def said(bench: Bench, words: str) -> None:
    """Wait until the problems are this one, or none."""
    async with asyncio.timeout(15):
        while True:
            reasons = [one["reason"] for one in bench.lb.status()["problems"]]  # type: ignore[attr-defined]
            if (not words and not reasons) or any(words and words in one for one in reasons):
                return
            await asyncio.sleep(0.02)


class Load:
    """Requests by TLS, each on a connection of its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.done = self.failed = 0
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    async def run(self) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", self.port, ssl=self.context, server_hostname="a.example.org"
                )
                writer.write(b"GET / HTTP/1.1\r\nHost: a.example.org\r\nConnection: close\r\n\r\n")
                ok = (await reader.readline()).startswith(b"HTTP/1.1 200 ")
                writer.close()
            except (OSError, asyncio.IncompleteReadError):
                ok = False
            self.done += ok
            self.failed += not ok
            await asyncio.sleep(0.01)
