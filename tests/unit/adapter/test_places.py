import pytest

from adapter.places import listen_of
from sidecar.config.units import Endpoint
from sidecar.web.lean.server import hosts_of


def test_no_host_is_every_address_of_both_families() -> None:
    assert listen_of(":9102") == Endpoint("", 9102)
    assert hosts_of(listen_of(":9102")) in [("0.0.0.0", "::"), ("0.0.0.0",)]
    assert hosts_of(listen_of(":0")) == ("0.0.0.0",)


@pytest.mark.parametrize("text", ["0.0.0.0:1", "127.0.0.1:1", "[::1]:1", "localhost:1"])
def test_a_host_is_that_one(text: str) -> None:
    assert hosts_of(listen_of(text)) == (listen_of(text).host,)
    assert str(listen_of(text)) == text


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="no port"):
        listen_of("9102")
