"""What an importer prints is read back as what the command line says."""

import shlex

import pytest

from sidecar.errors import PermanentError
from templater.consul_template import importing as of_consul_template
from templater.consul_template import keys as keys_of_consul_template
from templater.consul_template import options as options_of_consul_template
from templater.consul_template.schema import read_file
from templater.consul_template.writing import hcl_of
from templater.envconsul import importing as of_envconsul
from templater.envconsul import keys as keys_of_envconsul
from templater.envconsul import options as options_of_envconsul


@pytest.mark.parametrize(
    "line",
    [
        "-prefix app -no-prefix=false -secret kv/x -service-query web -service-format-id '{{key}}'",
        "-exec-kill-signal TERM -exec-splay 1500ms -wait 1s:3s -upcase sh -c 'echo \"$x\"'",
        "-consul-addr 192.0.2.1:8500 -consul-auth u:p -vault-token t -max-stale 10m -exec 'a b'",
        "-exec-reload-signal '' -exec-reload-command 'nginx -s reload' -exec-env-custom A=1 x",
    ],
)
def test_envconsul_reads_what_its_importer_prints(line: str) -> None:
    text = of_envconsul.toml_of([f"envconsul {line}"], {})
    tree, problems = read_file(text, "x", keys_of_envconsul.SCHEMA)
    assert problems == []
    assert tree == options_of_envconsul.command_line(shlex.split(line)).tree


@pytest.mark.parametrize(
    "line",
    [
        "-template '/in:/out:reload it' -template /x:/y -wait 5s -exec 'sleep 5' -once",
        "-consul-ssl -consul-ssl-verify=false -kill-signal TERM -exec-env-denylist 'A*' -dedup",
    ],
)
def test_consul_template_reads_what_its_importer_prints(line: str) -> None:
    text = of_consul_template.toml_of(["/usr/bin/consul-template", *shlex.split(line)], {})
    tree, problems = read_file(text, "x", keys_of_consul_template.SCHEMA)
    assert problems == []
    assert tree == options_of_consul_template.command_line(shlex.split(line)).tree


def test_permissions_are_written_in_octal() -> None:
    tree = {"template": [{"perms": 0o640}]}
    lines = list(hcl_of(tree, keys_of_consul_template.SCHEMA))
    assert lines == ["template {", '  perms = "0640"', "}"]


def test_what_has_no_equal_is_a_comment() -> None:
    line = "CONSUL_HTTP_TOKEN=t envconsul -once -config a.hcl -splay 2s -vault-token s env"
    assert [x for x in of_envconsul.toml_of([line], {}).splitlines() if x.startswith("#")] == [
        "# The file of envconsul -config FILE (or pinnace envconsul -config FILE)",
        "# that equals this command line.",
        "# CONSUL_HTTP_TOKEN is read from the environment as before.",
        "# -config a.hcl: give it before this file.",
        "# -once: only the command line has it.",
        "# vault.token is a secret: VAULT_TOKEN in the environment does the same.",
    ]
    text = of_consul_template.toml_of(["consul-template -dry -dedup -config x"], {})
    assert "# -dry: only the command line has it." in text
    assert "# -config x: give it before this file." in text
    assert "# deduplicate has no effect: " in text


@pytest.mark.parametrize("line", ["-nope", "-h", "'"])
def test_wrong_command_line_is_refused(line: str) -> None:
    for importer in (of_envconsul, of_consul_template):
        with pytest.raises(PermanentError):
            importer.toml_of([line], {})
