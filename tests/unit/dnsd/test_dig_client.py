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
