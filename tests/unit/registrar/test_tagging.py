import asyncio
import http.server
import threading
from collections.abc import Iterator

import pytest

from registrar.tagging import fetched, tagging_of
from sidecar.errors import ConfigError
from tests.support.docker import document


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(404 if self.path == "/gone" else 200)
        self.end_headers()
        self.wfile.write(b"body")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_constant_tags_need_no_template() -> None:
    assert tagging_of("a,b") is None


def test_a_template_that_cannot_be_read_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match=r"registrar\.tags: template: tags:1"):
        tagging_of("{{.")


async def test_a_container_for_which_it_fails_has_no_such_tags() -> None:
    tagging = tagging_of("{{sIndex 0 .Config.Env}}")
    assert tagging is not None
    assert await tagging(document(env=("A=1",))) == "A=1"
    assert await tagging(document()) == ""
    assert await tagging(document()) == ""


async def test_a_fetch_does_not_hold_the_loop(url: str) -> None:
    tagging = tagging_of(f'{{{{httpGet "{url}/" | printf "%s"}}}}')
    assert tagging is not None
    assert await asyncio.wait_for(tagging(document()), 10) == "body"


async def test_what_cannot_be_had_is_nothing(url: str) -> None:
    assert await asyncio.to_thread(fetched, f"{url}/gone") == b"body"
    for wrong in ("http://127.0.0.1:1/", "file:///etc/hostname", "http://"):
        assert await asyncio.to_thread(fetched, wrong) == b""
