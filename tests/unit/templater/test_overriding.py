"""A user's own template: what it is given, what it must write."""

from dataclasses import replace
from typing import Any

import pytest

from sidecar.errors import ReloadFailed, RenderError
from templater.haproxy.model import NOTHING
from templater.haproxy.render import Renderer as HaproxyRenderer
from templater.haproxy.slots import grown
from templater.names import Address, Port, SocketAddress
from templater.nginx.render import Renderer as NginxRenderer
from templater.override import Data, Override
from templater.routes import Routes
from tests.unit.templater.haproxy_models import endpoint, routes_to
from tests.unit.templater.nginx.configs import PLACE, instance
from tests.unit.templater.nginx.configs import routes_to as routes_of_nginx

HOST = Address("127.0.0.1")
given: list[Data] = []


def listed(name: str) -> list[dict[str, Any]]:
    """Return a list that a template was given last."""
    found = given[-1][name]
    assert isinstance(found, list)
    return found


def all_of_it(data: Data) -> str:
    """Write what is shipped, part by part."""
    given.append(data)
    shipped = data["shipped"]
    assert isinstance(shipped, dict)
    return "".join(shipped.values())


def haproxy(render: object, routes: Routes | None = None) -> str:
    routes = routes if routes is not None else routes_to(endpoint("a"), ports=(5432,))
    renderer = HaproxyRenderer(SocketAddress(HOST, Port(8080)), HOST, threads=2, maxconn=100)
    plain = renderer.files(grown(NOTHING, routes)).config
    if render is None:
        return plain
    override = Override("own", "1", render)  # type: ignore[arg-type]
    return renderer.files(grown(NOTHING, replace(routes, override=override))).config


def test_the_parts_of_haproxys_text_together_are_the_shipped_text() -> None:
    assert haproxy(all_of_it) == haproxy(None)


def test_a_template_is_told_each_slot() -> None:
    haproxy(all_of_it)
    (backend,) = listed("backends")
    assert (backend["name"], backend["service"], backend["protocol"]) == (
        "http.web", "web", "http",
    )  # fmt: skip
    assert backend["options"].startswith("    mode http\n    retry-on ")
    assert backend["slots"][0] == {
        "name": "s1", "socket": "192.0.2.1:80", "weight": 1, "disabled": False, "backup": False,
    }  # fmt: skip
    assert backend["slots"][1] == {
        "name": "s2", "socket": "127.0.0.1:1", "weight": 0, "disabled": True, "backup": False,
    }  # fmt: skip
    assert listed("listeners") == [{"port": 5432, "backend": "http.web"}]


@pytest.mark.parametrize(
    ("old", "new", "lacking"),
    [
        ("    server s3 ", "    # server s3 ", "server s3 of backend http.web"),
        ("backend http.web", "backend http.webs", "backend http.web"),
        ("stats socket unix@admin.sock", "stats socket unix@other", "stats socket unix@admin"),
        ("    server s1 ", "listen x\n    server s1 ", "server s1 of backend http.web"),
    ],
)
def test_what_is_changed_at_run_time_may_not_be_left_out(old: str, new: str, lacking: str) -> None:
    with pytest.raises(ReloadFailed, match=f"own: the text lacks .*{lacking}"):
        haproxy(lambda data: all_of_it(data).replace(old, new))


def test_what_a_template_does_wrong_is_a_failed_reload() -> None:
    def wrong(_: Data) -> str:
        raise RenderError("own:3: no")

    with pytest.raises(ReloadFailed, match="own:3: no"):
        haproxy(wrong)
    with pytest.raises(ReloadFailed, match="own: the text is not ASCII"):
        haproxy(lambda data: all_of_it(data) + "# \u00e9")
    with pytest.raises(ReloadFailed, match="own:3: no"):
        nginx(wrong)
    with pytest.raises(ReloadFailed, match="own: the text is not ASCII"):
        nginx(lambda data: written(data) + "# \u00e9")


def written(data: Data) -> str:
    given.append(data)
    shipped = data["shipped"]
    assert isinstance(shipped, dict)
    return (
        f"{shipped['main']}http {{\n{shipped['http']}{shipped['upstreams']}{shipped['servers']}"
        f"{shipped['status']}}}\n{shipped['streams']}"
    )


def nginx(render: object) -> tuple[str, str]:
    override = Override("own", "1", render)  # type: ignore[arg-type]
    routes = replace(routes_of_nginx(instance()), override=override)
    config = NginxRenderer(PLACE).config(routes)
    return config.text, config.digest


def test_the_parts_of_nginxs_text_together_are_the_shipped_text() -> None:
    plain = NginxRenderer(PLACE).config(routes_of_nginx(instance()))
    assert nginx(written) == (plain.text, plain.digest)
    (upstream,) = listed("upstreams")
    assert upstream["name"] == "http.web"
    assert upstream["servers"] == [
        {"socket": "192.0.2.1:80", "weight": 1, "state": "ready", "backup": False}
    ]


def test_nginx_is_asked_which_text_it_runs_so_that_must_stand_in_it() -> None:
    text, digest = nginx(lambda data: written(data) + "# mine\n")
    assert digest in text
    assert digest != nginx(written)[1]
    with pytest.raises(ReloadFailed, match=r"own: the text lacks shipped\.status"):
        nginx(lambda data: written(data).replace("/digest", "/other"))
