import re
from pathlib import Path

import adapter.jmx.component
from adapter.jmx import config, config_rules
from adapter.jmx.cli import prepared

README = Path(adapter.jmx.component.__file__).parent / "README.md"
MANUAL = (README.parents[2] / "docs" / "jmx.md").read_text()


def test_every_key_of_the_file_is_in_the_manual() -> None:
    for key in (*config._TOP, *config_rules._KEYS):
        assert f"`{key}`" in MANUAL, key


def test_every_flag_is_in_the_manual(capsys: object) -> None:
    prepared("x", ["-h"])
    shown = capsys.readouterr().out  # type: ignore[attr-defined]
    for flag in re.findall(r"--[a-z.-]+", shown):
        assert flag in MANUAL or flag in {"--version", "--help"}, flag


def test_every_module_is_in_the_readme() -> None:
    text = README.read_text()
    for path in README.parent.glob("*.py"):
        if not path.name.startswith(("__", "config")):
            assert f"`{path.stem}`" in text, path.stem
