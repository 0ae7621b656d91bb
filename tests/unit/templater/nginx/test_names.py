"""Names of groups, which nginx compares without regard to case."""

from hypothesis import given
from hypothesis import strategies as st

from sidecar.catalog.model import HTTP_BALANCE
from templater.nginx.names import GroupName
from templater.routes import Protocol, Upstream
from tests.unit.templater.nginx.configs import instance, routes_to


@given(services=st.sets(st.text(alphabet="aAx5_m.-Éé ", max_size=8), min_size=2))
def test_every_service_has_a_name_of_its_own_whatever_the_case(services: set[str]) -> None:
    names = {GroupName(Upstream(Protocol.HTTP, one)).lower() for one in services}
    assert len(names) == len(services)
    assert all(name.isascii() and " " not in name for name in names)


def test_another_shape_or_protocol_is_another_name() -> None:
    routes = routes_to(instance(meta={HTTP_BALANCE: "random"}))
    (shaped,) = routes.upstreams
    plain = Upstream(Protocol.HTTP, "web")
    names = {GroupName(one) for one in (shaped, plain, Upstream(Protocol.TCP, "web"))}
    assert len(names) == 3
    assert GroupName(Upstream(Protocol.HTTP, f"web_m{shaped.shape.mark}")) not in names
