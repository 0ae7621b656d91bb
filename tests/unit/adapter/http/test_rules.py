import pytest

from adapter.http.rules import targets_of
from sidecar.errors import ConfigError

GOOD = """
targets:
- name: app
  url: https://app.example.org:8443/stats?x=1
  timeout: 2s
  headers: {Authorization: "Bearer ${TOKEN}", X-Plain: a}
  labels: {service: app}
  rules:
  - {path: queues.*.depth, name: app_queue_depth, labels: {queue: "$1"}, scale: 2, help: Waiting.}
  - {path: state, value: word, name: app_up, values: {ok: 1, down: 0}, type: unknown}
- url: http://127.0.0.1/
  format: text
  rules: [{match: 'n=(\\d+)', name: n_total, type: counter}]
"""


def test_a_file_becomes_targets() -> None:
    app, plain = targets_of(GOOD, "h.yml", {"TOKEN": "t"})
    assert (app.name, app.form, app.timeout) == ("app", "json", 2.0)
    assert app.headers == {"Authorization": "Bearer t", "X-Plain": "a"}
    assert app.labels == (("service", "app"),)
    first, second = app.rules
    assert (first.path, first.scale, first.kind) == (("queues", None, "depth"), 2.0, "gauge")
    assert (second.value, second.values, second.kind) == ("word", {"ok": 1, "down": 0}, "unknown")
    assert (plain.name, plain.form, plain.timeout) == ("http://127.0.0.1/", "text", 5.0)
    assert (plain.rules[0].value, plain.rules[0].kind) == ("$1", "counter")


def test_a_login_in_the_address_is_shown_to_nobody() -> None:
    text = f"targets: [{{url: 'https://u:p%40@h.example.org/s?x=u:p', {RULE}}}]"
    (target,) = targets_of(text, "h.yml", {})
    assert target.name == "https://h.example.org/s?x=u:p"
    assert target.url == "https://u:p%40@h.example.org/s?x=u:p"


RULE = "rules: [{path: a, name: a}]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "h.yml: there are no targets"),
        (f"targets: [{{url: 'ftp://x', {RULE}}}]", "needs a url with http:// or https://"),
        (f"targets: [{{url: 'http://[', {RULE}}}]", "needs a url with http:// or https://"),
        (f"targets: [{{{RULE}}}]", "h.yml:1:11: targets[0]: needs a url"),
        ("targets: [{url: 'http://x'}]", "needs rules"),
        (f"targets: [{{url: 'http://x', nmae: y, {RULE}}}]", "unknown key 'nmae'"),
        (f"targets: [{{url: 'http://x', {RULE}}}, {{url: 'http://x', {RULE}}}]", "two targets"),
        (f"targets: [{{url: 'http://x', labels: {{a-b: c}}, {RULE}}}]", "name of a label"),
        (f"targets: [{{url: 'http://x', headers: {{A: '${{NO}}'}}, {RULE}}}]", "NO is not set"),
        (
            f"targets: [{{url: 'http://u:p@x', headers: {{authorization: y}}, {RULE}}}]",
            "targets[0].headers: Authorization is in the url already",
        ),
        (f"targets: [{{url: 'http://x', headers: {{A: \"a\\nb\"}}, {RULE}}}]", "sent as a header"),
        ("targets: [{url: 'http://x', rules: [{path: a}]}]", "'' cannot be the name of a metric"),
        ("targets: [{url: 'http://x', rules: [{name: a}]}]", "needs a path"),
        ("targets: [{url: 'http://x', rules: [{name: a, path: a..b}]}]", "is not a path"),
        (
            "targets: [{url: 'http://x', rules: [{name: a, path: a, value: b..c}]}]",
            "is not a path",
        ),
        ("targets: [{url: 'http://x', rules: [{name: a, path: a, match: b}]}]", "not for targets"),
        ("targets: [{url: 'http://x', format: text, rules: [{name: a}]}]", "needs a match"),
        (
            "targets: [{url: 'http://x', format: text, rules: [{name: a, match: (}]}]",
            "invalid regex",
        ),
    ],
)
def test_each_mistake_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        targets_of(text, "h.yml", {})
    (problem,) = caught.value.problems
    assert message in problem
