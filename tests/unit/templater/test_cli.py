"""The templater under its names."""

import pytest

from templater import cli


@pytest.mark.parametrize("name", ["templater", "confd"])
def test_confds_command_line_is_taken_under_both_names(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(name, ["-version"]) == 0
    assert capsys.readouterr().out.startswith("confd 0.17.0 (Pinnace ")
    assert cli.main(name, ["-nope"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["flag provided but not defined: -nope", f"Usage of {name}:"]
