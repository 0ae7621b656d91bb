from dataclasses import replace
from typing import Any

import pytest

from registrar.ports import Internal, Offer, offers_of
from sidecar.engine.facts import Binding, Port
from tests.support.docker import PLACE, container

ON_8080 = {"80/tcp": "0.0.0.0:8080"}
PUBLISHED = Offer(Port(80), Binding("0.0.0.0", 8080))


@pytest.mark.parametrize(
    ("fields", "internal", "offers"),
    [
        pytest.param({}, "auto", (), id="no-ports"),
        pytest.param({"published": ON_8080}, "never", (PUBLISHED,), id="published"),
        pytest.param({"exposed": ("80/tcp",)}, "never", (), id="exposed-only-is-ignored"),
        pytest.param(
            {"exposed": ("80/tcp",)}, "auto", (Offer(Port(80), None),), id="exposed-only-auto"
        ),
        pytest.param(
            {"published": ON_8080, "exposed": ("99/tcp",)}, "auto", (PUBLISHED,), id="mixed-auto"
        ),
        pytest.param(
            {"published": ON_8080, "exposed": ("99/tcp",)},
            "always",
            (Offer(Port(80), None), Offer(Port(99), None)),
            id="always-counts-exposed-ports-too",
        ),
        pytest.param(
            {"exposed": ("21052/tcp",), "mode": "host"},
            "never",
            (Offer(Port(21052), Binding("", 21052)),),
            id="host-network-at-its-own-number",
        ),
        pytest.param({"exposed": ("80/tcp",), "mode": "none"}, "always", (), id="none-network"),
        pytest.param({"mode": "container:x"}, "never", (), id="shared-network-without-ports"),
        pytest.param(
            {"exposed": ("80/tcp",), "mode": "container:x"},
            "never",
            (Offer(Port(80), None),),
            id="shared-network",
        ),
    ],
)
def test_offers(fields: dict[str, Any], internal: Internal, offers: tuple[Offer, ...]) -> None:
    assert offers_of(container(**fields), replace(PLACE, internal=internal)) == offers


def test_of_several_bindings_the_first_counts() -> None:
    box = container(published={"80/tcp": "0.0.0.0:2"})
    bindings = {Port(80): (Binding("", 21012), Binding("", 21011))}
    box = type(box)(id="x", running=True, bindings=bindings)
    assert offers_of(box, replace(PLACE, internal="never")) == (
        Offer(Port(80), Binding("", 21012)),
    )
