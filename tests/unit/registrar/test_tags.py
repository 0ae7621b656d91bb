"""The functions of a template of tags, as Registrator's."""

from typing import Any

import pytest

from registrar.labels import is_template, split_tags
from registrar.tags import TagTemplate, json_parse
from sidecar.gotemplate.failures import TemplateError
from tests.support.docker import document

DOCUMENT: dict[str, Any] = document(
    "rg-lab",
    id_="765abc",
    env=("A=1", "SERVICE_B=2", "SERVICE_C=3"),
    labels={"a.b": "x"},
    published={"80/tcp": "0.0.0.0:8080"},
)
DOCUMENT["Config"]["Cmd"] = ["sleep", "3600"]
DOCUMENT["Config"]["Odd"] = None
DOCUMENT["State"]["Health"] = None
DOCUMENT["State"] |= {
    "StartedAt": "2026-01-02T03:04:05.006Z", "FinishedAt": "0001-01-01T00:00:00Z", "Running": True
}  # fmt: skip
DOCUMENT["Config"]["Healthcheck"] = {
    "Test": ["CMD", "true"], "Interval": 100 * 10**9, "Timeout": 1_500_000_000, "Retries": 3
}  # fmt: skip
DOCUMENT["HostConfig"]["LogConfig"] = {"Type": "json-file", "Config": {"max-size": "1m"}}
DOCUMENT["Mounts"] = [{"Source": "/a", "RW": True}, {"Source": "/b", "RW": False}]
ANSWER = b'{"a": {"b": [1, "x\\"y"], "c" : {"d":null} }, "e": "f"}'


def text(template: str) -> str:
    return TagTemplate(template, lambda url: ANSWER if url == "http://x" else b"").of(DOCUMENT)


def test_the_observed_example() -> None:
    found = text(r'f1,{{strSlice .ID 0 3}},{{.Name}},{{join ";" .Config.Cmd}}\,x')
    assert split_tags(found) == ("sleep;3600,x", "/rg-lab", "765", "f1")


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ('{{strSlice "abc" 1}}', "bc"),
        ('{{strSlice "abc" 4}}', "abc"),
        ('{{strSlice "abc" 1 2}}', "b"),
        ('{{strSlice "abc" 2 1}}', "c"),
        ('{{strSlice "abc" 0 0}}', ""),
        ('{{strSlice "abc" 1 9}}', "abc"),
        ('{{strSlice "abc"}}', "abc"),
        ('{{strSlice "abc" 1 2 3}}', "abc"),
        ("{{sIndex 0 .Config.Env}}", "A=1"),
        ("{{sIndex 9 .Config.Env}}", "SERVICE_C=3"),
        ("{{sIndex -1 .Config.Env}}", "SERVICE_C=3"),
        ("{{sIndex -9 .Config.Env}}", "A=1"),
        ('{{mIndex "a.b" .Config.Labels}}{{mIndex "z" .Config.Labels}}', "x"),
        ('{{toUpper "aB"}}{{toLower "aB"}}', "ABab"),
        ('{{replace 1 "a" "b" "aa"}}{{replace -1 "a" "b" "aa"}}', "babb"),
        ('{{join "+" .Config.Cmd}}', "sleep+3600"),
        ('{{split "," "a,b"}}{{split "" "ab"}}', "[a b][a b]"),
        ('{{splitIndex 1 "-" .Name}}{{splitIndex -5 "-" .Name}}', "lab/rg"),
        ('{{matchFirstElement "^SERVICE_" .Config.Env}}', "SERVICE_B=2"),
        ('{{matchFirstElement "^X" .Config.Env}}', ""),
        ('{{matchAllElements "^SERVICE_" .Config.Env | join "+"}}', "SERVICE_B=2+SERVICE_C=3"),
        ('{{httpGet "http://x" | printf "%s" | len}}', str(len(ANSWER))),
        ('{{jsonParse (httpGet "http://x") "a::b"}}', '[1, "x\\"y"]'),
        ('{{jsonParse (httpGet "http://x") "e"}}', "f"),
        ('{{jsonParse (httpGet "http://y") "e"}}', ""),
        ("{{.State.Health.Status}}{{.Config.Domainname}}", ""),
        ("{{range $n, $v := .NetworkSettings.Networks}}{{$n}} {{$v.IPAddress}}{{end}}",
         "bridge 172.17.0.2"),
        ('{{range index .NetworkSettings.Ports "80/tcp"}}{{.HostIP}}:{{.HostPort}}{{end}}',
         "0.0.0.0:8080"),
        ('{{index .HostConfig.LogConfig.Config "max-size"}}{{.HostConfig.LogConfig.Type}}',
         "1mjson-file"),
        ("{{range .Mounts}}{{.Source}}{{if .RW}}!{{end}}{{end}}", "/a!/b"),
        ("{{.Config.StopTimeout}}{{.HostConfig.MemorySwappiness}}{{.Config.User}}", "00"),
        ("{{.State.StartedAt}}", "2026-01-02 03:04:05.006 +0000 UTC"),
        ("{{.State.StartedAt.Year}}{{.State.FinishedAt.IsZero}}", "2026true"),
        ('{{.State.StartedAt.Format "Jan 2"}}{{.State.StateString}}', "Jan 2running"),
        ("{{range $port, $_ := .NetworkSettings.Ports}}{{$port.Port}}-{{$port.Proto}}{{end}}",
         "80-tcp"),
        ("{{.NetworkSettings.PortMappingAPI}}", "[{80 8080 tcp 0.0.0.0}]"),
        ("{{.Config.Healthcheck}}", "{[CMD true] 1m40s 1.5s 0s 3}"),
        ("{{.HostConfig.RestartPolicy}}{{.HostConfig.Ulimits}}", "{ 0}[]"),
        ('{{printf "%T %T" .Config .State.Health.Log}}', "*docker.Config []docker.HealthCheck"),
        ("{{.Config.Env}}{{.Mounts}}",
         "[A=1 SERVICE_B=2 SERVICE_C=3][{ /a    true} { /b    false}]"),
        ('{{toUpper "aß"}}', "Aß"),
        ("{{if .Node}}yes{{else}}no{{end}}", "no"),
        ("{{len .Config.Entrypoint}}{{.HostConfig.NetworkMode}}", "0default"),
    ],
)  # fmt: skip
def test_results(template: str, result: str) -> None:
    assert text(template) == result


@pytest.mark.parametrize(
    "template",
    [
        '{{strSlice "abc" -1}}',
        '{{sIndex 0 (split "," "a") | sIndex 0}}',
        "{{sIndex 0 .Config.Entrypoint}}",
        '{{mIndex "a" .Config.Env}}',
        '{{join "," .Config.Labels}}',
        '{{matchFirstElement "(" .Config.Env}}',
        '{{matchFirstElement "(((a{0,99}){0,99}){0,9}){0,9}" .Config.Env}}',
        '{{jsonParse "{}" "a"}}',
        "{{.Nope}}",
        "{{.Config.Odd}}",
        "{{.Id}}",
        "{{.Node.ID}}",
        "{{.State",
    ],
)
def test_what_would_end_registrator_fails_the_template(template: str) -> None:
    with pytest.raises(TemplateError):
        text(template)


@pytest.mark.parametrize(
    ("data", "path", "found"),
    [
        (ANSWER, "a::b::[1]", 'x\\"y'),
        (ANSWER, "a::b::[7]", ""),
        (ANSWER, "a::c", '{"d":null}'),
        (ANSWER, "a::c::d", "null"),
        (ANSWER, "e::f", ""),
        (b"", "a", ""),
        (b'{"a"', "a", ""),
        (b'[{"a": 1.50}]', "[0]::a", "1.50"),
        (b'{"a":1,"a":2}', "a", "1"),
    ],
)
def test_a_value_stands_as_it_is_written(data: bytes, path: str, found: str) -> None:
    assert json_parse(data, path) == found


def test_a_document_that_is_none_has_no_more_than_its_zero_values() -> None:
    assert TagTemplate("{{.ID}}{{len .Args}}", lambda _: b"").of(None) == "0"


def test_tags_without_braces_are_no_template() -> None:
    assert is_template("a,{{.ID}}")
    assert not is_template("a,b}}")
