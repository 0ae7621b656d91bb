from dataclasses import replace
from typing import Any

import pytest

from registrar.ports import Internal, Offer, offers_of, place_of
from sidecar.config.model import RegistrarSettings
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


@pytest.mark.parametrize(
    ("fields", "internal", "offers"),
    [
        pytest.param(
            {"exposed": ("5000/tcp",), "mode": "none"},
            "never",
            (Offer(Port(5000), Binding("", 5000)),),
            id="what-is-not-listed-counts-as-published",
        ),
        pytest.param({"exposed": ("80/tcp",)}, "never", (), id="listed-and-not-published"),
        pytest.param({"exposed": ("80/tcp",)}, "always", (Offer(Port(80), None),), id="always"),
        pytest.param(
            {"published": ON_8080, "exposed": ("99/tcp",)}, "never", (PUBLISHED,), id="mixed"
        ),
    ],
)
def test_compat_offers_what_registrator_does(
    fields: dict[str, Any], internal: Internal, offers: tuple[Offer, ...]
) -> None:
    place = replace(PLACE, internal=internal, compat=True)
    assert offers_of(container(**fields), place) == offers


def test_a_network_that_publishes_nothing_offers_at_the_container() -> None:
    box = type(container())(id="x", exposed=(Port(80),), network_mode="macvlan")
    assert offers_of(box, replace(PLACE, internal="never")) == (Offer(Port(80), None),)
    bridged = replace(box, network_mode="bridge")
    assert offers_of(bridged, replace(PLACE, internal="never")) == ()


def test_the_place_is_what_the_settings_say() -> None:
    settings = RegistrarSettings(
        ip="192.0.2.1", second_ip="2001:db8::1", tags="a", networks=("n",), compat=True,
        use_ip_from_label="l", allow_address_override=True, service_prefix="p-",
    )  # fmt: skip
    place = place_of(settings, node="vm", address="192.0.2.7", second="2001:db8::7")
    assert (place.ip, place.second, place.tags) == ("192.0.2.1", "2001:db8::1", "a")
    assert (place.networks, place.ip_label, place.prefix) == (("n",), "l", "p-")
    assert place.compat
    assert place.overrides is not None
    plain = place_of(
        RegistrarSettings(tags="{{.ID}}"), node="vm", address="192.0.2.7", second="2001:db8::7"
    )
    assert (plain.second, plain.tags, plain.overrides) == ("2001:db8::7", "", None)
