"""A user's own template in place of the shipped one, on real proxies."""

import asyncio
from pathlib import Path

import pytest

from templater import extras
from templater.nginx import plan
from tests.integration.templater.harness import Bench, backends, instance, running, until

JINJA = """{{ shipped.global }}
{{ shipped.defaults }}
frontend mine
    bind unix@mine.sock
    http-request return status 200 content-type text/plain string "MARK"
{{ shipped.frontend }}
{{ shipped.listeners }}
{% for backend in backends %}
backend {{ backend.name }}
    mode {{ backend.protocol }}
{% for slot in backend.slots %}
    server {{ slot.name }} {{ slot.socket }} weight {{ slot.weight }}\
{% if slot.disabled %} disabled{% endif %}

{% endfor %}
{% endfor %}
"""
GO = """{{ .shipped.global }}{{ .shipped.defaults }}
frontend mine
    bind unix@mine.sock
    http-request return status 200 content-type text/plain string "MARK"
{{ .shipped.frontend }}{{ .shipped.listeners }}{{ .shipped.backends }}
{{ range .backends }}# {{ .name }} of {{ .service }} has {{ len .slots }}
{{ end }}"""
NGINX = """{{ shipped.main }}
http {
{{ shipped.http }}{{ shipped.upstreams }}{{ shipped.servers }}
    server {
        listen unix:mine.sock;
        return 200 "MARK";
    }
{{ shipped.status }}
}
{{ shipped.streams }}
"""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_GAP", 0.1)
    monkeypatch.setattr(extras, "_LOOK", 0.1)


def bench_of(tmp_path: Path, text: str, **settings: object) -> tuple[Bench, Path]:
    path = tmp_path / "own.template"
    path.write_text(text)
    return Bench(tmp_path, template=str(path), **settings), path


async def mine(bench: Bench) -> str:
    """Return what the server answers that only the own template has."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(bench.dir / "mine.sock"))
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        body = (await reader.read()).rpartition(b"\r\n\r\n")[2]
        writer.close()
    except OSError:
        return ""
    return body.decode().strip()


async def answers(bench: Bench, text: str) -> None:
    async with asyncio.timeout(15):
        while await mine(bench) != text:
            await asyncio.sleep(0.02)


async def problem_of(bench: Bench, words: str) -> str:
    """Wait for a problem, or a trouble, that holds these words."""
    async with asyncio.timeout(15):
        while True:
            found = [one["reason"] for one in bench.lb.status()["problems"]]  # type: ignore[attr-defined]
            found.append(bench.lb.trouble() or "")
            if text := next((one for one in found if words in one), ""):
                return text
            await asyncio.sleep(0.02)


@pytest.mark.haproxy
@pytest.mark.parametrize(("language", "text"), [("jinja", JINJA), ("go", GO)])
async def test_an_own_template_keeps_changes_at_run_time(
    tmp_path: Path, language: str, text: str
) -> None:
    bench, path = bench_of(tmp_path, text.replace("MARK", "one"), template_language=language)
    async with backends(2) as (first, second), running(bench):
        bench.put(instance("a", first))
        await bench.answers("web.localhost", 200)
        assert await mine(bench) == "one"
        reloads = await bench.reloads()
        bench.put(instance("a", first), instance("b", second))
        await until(lambda: bench.live() == 2)
        assert await bench.served(4) == {str(first): 2, str(second): 2}
        assert await bench.reloads() == reloads
        assert bench.last["kind"] == "runtime"

        path.write_text(text.replace("MARK", "two"))
        await answers(bench, "two")
        assert await bench.reloads() == reloads + 1
        assert await bench.served(4) == {str(first): 2, str(second): 2}

        path.write_text(text.replace("MARK", "three") + "{{ end }}{% end %}")
        assert "own.template" in await problem_of(bench, "the last one stays")
        bench.drop("b")
        await until(lambda: bench.live() == 1)
        assert await bench.served(4) == {str(first): 4}
        assert await mine(bench) == "two"
        assert bench.lb.trouble() is None


@pytest.mark.haproxy
@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (JINJA.replace("server {{ slot.name }}", "server x{{ slot.name }}"), "lacks server s1 of"),
        (JINJA.replace("{{ shipped.global }}", ""), "lacks the line"),
        (JINJA.replace("bind unix@mine.sock", "bond unix@mine.sock"), "unknown keyword 'bond'"),
        (JINJA.replace("slot.socket", "slot.socked"), "own.template:"),
    ],
)
async def test_a_template_that_writes_nonsense_leaves_what_runs(
    tmp_path: Path, broken: str, words: str
) -> None:
    bench, path = bench_of(tmp_path, JINJA.replace("MARK", "one"))
    async with backends(2) as (first, second), running(bench):
        bench.put(instance("a", first))
        await bench.answers("web.localhost", 200)
        path.write_text(broken)
        await problem_of(bench, words)
        bench.put(instance("b", second))
        await until(lambda: bench.live() == 2)
        assert set(await bench.served(6)) == {str(first), str(second)}
        assert await mine(bench) == "one"
        path.write_text(JINJA.replace("MARK", "two"))
        await answers(bench, "two")
        await until(lambda: bench.lb.trouble() is None, 15)


@pytest.mark.nginx
async def test_an_own_template_of_nginx(tmp_path: Path) -> None:
    bench, path = bench_of(tmp_path, NGINX.replace("MARK", "one"), kind="nginx")
    async with backends(2) as (first, second), running(bench):
        bench.put(instance("a", first))
        await bench.answers("web.localhost", 200)
        assert await mine(bench) == "one"
        bench.put(instance("b", second))
        await until(lambda: bench.live() == 2, 15)
        assert await bench.served(4) == {str(first): 2, str(second): 2}
        path.write_text(NGINX.replace("MARK", "two").replace("{{ shipped.status }}", ""))
        await problem_of(bench, "lacks shipped.status")
        assert await mine(bench) == "one"
        path.write_text(NGINX.replace("MARK", "two"))
        await answers(bench, "two")
        await until(lambda: bench.lb.trouble() is None, 15)
