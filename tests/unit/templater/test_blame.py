"""Whose line HAProxy complains about."""

import pytest

from templater.haproxy.blame import blamed
from templater.haproxy.model import NOTHING, Model
from templater.haproxy.render import Renderer
from templater.haproxy.slots import grown
from templater.names import Address, Port, SocketAddress
from tests.unit.templater.haproxy_models import endpoint, routes_to

HOST = Address("127.0.0.1")


def made() -> tuple[str, Model]:
    model = grown(NOTHING, routes_to(endpoint("a"), ports=(5432,), hosts=("web.localhost",)))
    renderer = Renderer(SocketAddress(HOST, Port(8080)), HOST, threads=1, maxconn=10)
    return renderer.files(model).config, model


@pytest.mark.parametrize(
    ("line", "whose"),
    [
        ("    server s1 ", "service 'web', address"),
        ("    bind 127.0.0.1:5432", "service 'web', pinnace-tcp-listen"),
        ("    mode http", "service 'web', name"),
        ("global", ""),
        ("    bind 127.0.0.1:8080", ""),
    ],
)
def test_the_section_tells_the_service_and_the_first_word_the_label(line: str, whose: str) -> None:
    text, model = made()
    lines = text.splitlines()
    # Of two lines alike the last is a service's.
    number = max(index for index, one in enumerate(lines, 1) if one.startswith(line))
    words = f"haproxy refuses the file: config : parsing haproxy.cfg.new:{number} : unknown word"
    assert blamed(text, model, words) == whose


def test_words_without_a_line_and_a_line_that_is_not_there_blame_nobody() -> None:
    text, model = made()
    assert blamed(text, model, "cannot write haproxy.cfg.new: No space left on device") == ""
    assert blamed("", model, "parsing haproxy.cfg:7 : unknown word") == ""
    assert blamed("backend http.other\n    mode http\n", model, "parsing haproxy.cfg:2 :") == ""
