import pytest

from sidecar.catalog.ownership import (
    is_containers,
    refuse_checks,
    refuse_containers,
    refuse_reserved,
)
from sidecar.errors import ApiError
from tests.support.catalog import instance

BOX = instance("web", "vm:box:80", owner="registrar:e")


def test_a_refusal_names_the_owner() -> None:
    with pytest.raises(ApiError, match=r"vm:box:80.*owned by registrar:e") as refused:
        refuse_containers(instance(), None, BOX)
    assert refused.value.status == 409
    refuse_containers(None, instance(owner="api"))
    assert is_containers(BOX)


def test_only_the_check_of_docker_is_refused() -> None:
    there = {BOX.id: BOX, "web-1": instance(owner="api")}
    with pytest.raises(ApiError, match="registrar:e"):
        refuse_checks(["x", "service:vm:box:80"], there)
    refuse_checks(["x", "vm:box:80", "service:web-1", "service:none"], there)


@pytest.mark.parametrize("name", ["consul", "Pinnace"])
def test_our_own_names_are_reserved(name: str) -> None:
    with pytest.raises(ApiError, match="reserved"):
        refuse_reserved(name)
    refuse_reserved(name + "-x")
