"""Exit statuses of command lines that end before anything runs, and files of configuration."""

from pathlib import Path

import pytest

from sidecar.errors import ConfigError
from templater import cli
from templater.consul_template.keys import SCHEMA
from templater.consul_template.loading import notes_of, read_paths


def _run(*words: str) -> int:
    return cli.main("consul-template", words)


def test_a_wrong_command_line_ends_with_13(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("-nope") == 13
    assert _run("-wait", "5s:1s") == 13
    assert _run("extra") == 13
    assert "flag provided but not defined: -nope" in capsys.readouterr().err


def test_help_and_version_end_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("-h") == 0
    assert _run("-v") == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("consul-template v")
    assert "-consul-retry-attempts" in shown.err


def test_wrong_configuration_ends_with_15(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "a.hcl"
    config.write_text("consul { adress = 1 }")
    assert _run("-config", str(config)) == 15
    assert f"{config}:1:10: consul.adress is no option; did you mean address?" in (
        capsys.readouterr().err
    )
    assert _run("-config", str(tmp_path / "none")) == 15
    assert _run("-log-level", "loud") == 15


@pytest.mark.parametrize(("text", "status"), [('{{ key "a" }}', 0), ('{{ key "a" ', 14)])
def test_templates_can_be_parsed_only(tmp_path: Path, text: str, status: int) -> None:
    source, dest = tmp_path / "in", tmp_path / "out"
    source.write_text(text)
    assert _run("-parse-only", "-template", f"{source}:{dest}") == status
    assert not dest.exists()


def test_a_template_without_data_is_rendered_without_an_agent(tmp_path: Path) -> None:
    source, dest = tmp_path / "in", tmp_path / "out"
    source.write_text('{{ timestamp "x" }}{{ sprig_upper "a" }}')
    assert _run("-once", "-template", f"{source}:{dest}", "-pid-file", str(tmp_path / "pid")) == 0
    assert dest.read_text() == "xA"
    assert _run("-once", "-template", f"{source}:{dest}", "-pid-file", "/nope/pid") == 14


def test_folders_are_read_in_order_and_the_right_most_wins(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a.hcl").write_text('log_level = "a"\ntemplate { source = "1" }')
    (tmp_path / "b" / "x").write_text('log_level = "x"\ntemplate { source = "2" }')
    (tmp_path / "c.json").write_text('{"max_stale": "1s"}')
    (tmp_path / "link").symlink_to(tmp_path / "b")
    tree = read_paths([str(tmp_path)], SCHEMA)
    assert (tree["log_level"], tree["max_stale"]) == ("x", 1.0)
    assert [each["source"] for each in tree["template"]] == ["1", "2"]
    other = read_paths([str(tmp_path / "b"), str(tmp_path / "a.hcl")], SCHEMA)
    assert other["log_level"] == "a"


def test_every_mistake_of_every_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x = 1\ny = 2")
    (tmp_path / "b").write_bytes(b"\xff")
    with pytest.raises(ConfigError) as refused:
        read_paths([str(tmp_path)], SCHEMA)
    assert len(refused.value.problems) == 3


def test_blocks_without_effect_are_named() -> None:
    tree = {"deduplicate": {"enabled": True}, "nomad": {"enabled": False}}
    assert [note.split()[0] for note in notes_of(tree)] == ["deduplicate"]
    assert notes_of({"telemetry": {"prometheus": {"port": 1}}}) == []
    assert len(notes_of({"telemetry": {"stdout": {}}})) == 1
