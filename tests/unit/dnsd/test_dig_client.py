"""What ``pinnace dig`` says when there is nobody to ask."""

import pytest

from dnsd.dig_client import ask
from sidecar.config.units import Endpoint
from tests.support.ports import free_port


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_nobody_there_is_told_with_what_to_do(
    host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    assert ask(Endpoint(host, port), "web.service.consul", "A", as_json=False) == 1
    assert capsys.readouterr().err == (
        f"pinnace dig: 127.0.0.1:{port}: Connection refused; "
        "does pinnace up run there? (--http ADDR:PORT)\n"
    )


@pytest.mark.parametrize(
    ("name", "type_", "said"),
    [
        ("web.service.consul", "BOGUS", "'BOGUS' is no type of DNS records"),
        ("web..consul", "A", "a label has 1 to 63 octets"),
        ("a" * 64, "A", "a label has 1 to 63 octets"),
        (".".join(["a" * 63] * 4), "A", "a name has at most 255 octets"),
    ],
)
def test_what_is_no_question_is_told_as_usage_and_asked_of_nobody(
    name: str, type_: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(Endpoint("127.0.0.1", 1), name, type_, as_json=False) == 2
    assert capsys.readouterr().err == f"pinnace dig: {said}\n"
