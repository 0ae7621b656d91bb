"""``[[template]]``: what it takes, and where its mistakes are said to be."""

import pytest

from sidecar.config.load import settle
from sidecar.config.model import TemplateSettings
from sidecar.errors import ConfigError

WHOLE = """\
[[template]]
source = "/etc/x.j2"
destination = "/etc/x"
language = "go"
mode = "0640"
owner = "haproxy:haproxy"
check = ["haproxy", "-c", "-f", "{src}"]
reload = ["systemctl", "reload", "haproxy"]
run_as = "haproxy"
timeout = "5s"
min_instances = 2
debounce = "100ms"
min_reload_interval = 1

[[template]]
source = "/etc/y.j2"
destination = "/etc/y"
"""


def test_every_key_is_taken_and_the_others_have_defaults() -> None:
    assert settle({}, {}, WHOLE, "p.toml").settings.template == (
        TemplateSettings(
            source="/etc/x.j2", destination="/etc/x", language="go", mode="0640",
            owner="haproxy:haproxy", check=("haproxy", "-c", "-f", "{src}"),
            reload=("systemctl", "reload", "haproxy"), run_as="haproxy", timeout=5.0,
            min_instances=2, debounce=0.1, min_reload_interval=1.0,
        ),
        TemplateSettings(source="/etc/y.j2", destination="/etc/y"),
    )  # fmt: skip


def test_there_are_none_by_default() -> None:
    assert settle({}, {}).settings.template == ()


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        (
            "[template]\nsource = '/a'",
            ["p.toml:1:2: 'template' must be an array of tables: [[template]]"],
        ),
        ("template = 1", ["p.toml:1:1: 'template' must be an array of tables: [[template]]"]),
        ("[[template]]\nsource = '/a'", ["p.toml:1:3: [[template]] needs destination"]),
        (
            "[[template]]\nsource = 'a'\ndestination = '/b'\nchek = []\nmode = '9'\nowner = 'a b'",
            [
                "p.toml:2:1: template.source: 'a' is not an absolute path",
                "p.toml:4:1: unknown key 'chek' in [[template]]; did you mean check?",
                "p.toml:5:1: template.mode: '9' is not a file mode such as 0640",
                "p.toml:6:1: template.owner: 'a b' is not USER or USER:GROUP",
            ],
        ),
        (
            ("[[template]]\nsource = '/a'\ndestination = '/b'\ncheck = ['']\ntimeout = 0\n"
            "language = 'jinj'\nmin_instances = -1"),
            [
                "p.toml:4:1: template.check: the first word is the program and must not be empty",
                "p.toml:5:1: template.timeout: must be more than 0",
                ("p.toml:6:1: template.language: must be one of jinja, go, not 'jinj'; did you mean"
                " jinja?"),
                "p.toml:7:1: template.min_instances: must be from 0 to 1000000, not -1",
            ],
        ),
        (
            "[[template]]\nsource = '/a'\ndestination = '/b'\n" * 2,
            ["template: /b is the destination of more than one"],
        ),
    ],
)  # fmt: skip
def test_every_mistake_is_told_with_its_place(text: str, mistakes: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        settle({}, {}, text, "p.toml")
    assert list(caught.value.problems) == mistakes
