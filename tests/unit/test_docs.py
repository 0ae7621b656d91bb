"""The documents say what the code does: settings, flags, links, dependencies."""

import re
import tomllib
from pathlib import Path

import pytest
from jinja2.filters import FILTERS

from sidecar import cli
from sidecar.config.explain import shown
from sidecar.config.keys import KEYS, OPTIONS, TEMPLATE_KEYS
from sidecar.config.load import settle
from sidecar.errors import ConfigError
from templater.jinja.engine import compile_template
from templater.jinja.sandbox import Sandbox
from templater.own.quoting import QUOTING
from templater.own.world import RECORDS

ROOT = Path(__file__).parents[2]
CONFIGURATION = (ROOT / "docs/configuration.md").read_text()
TEMPLATES = (ROOT / "docs/templates.md").read_text()
DOCUMENTS = [
    *(ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row whose first cell is a key in code marks."""
    found = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in found]


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def test_the_settings_table_has_each_key_with_variable_flag_and_default() -> None:
    flags = {option.key: flag for flag, option in OPTIONS.items()}
    assert [row[:4] for row in rows(CONFIGURATION)] == [
        [code(name), code(key.variable), code(flags.get(name, "")), code(shown(key.default))]
        for name, key in KEYS.items()
    ]


def test_each_setting_has_a_meaning_that_names_all_its_choices() -> None:
    for row in rows(CONFIGURATION):
        meaning = row[4]
        assert meaning.endswith(".")
        for choice in KEYS[row[0].strip("`")].choices:
            assert f"`{choice}`" in meaning


def test_every_example_of_a_file_is_accepted() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", CONFIGURATION, re.DOTALL)
    assert settle({}, {}, example, "example").settings.dns.ttl == 5.0


def test_the_mistakes_shown_are_those_that_are_made() -> None:
    (shown_lines,) = re.findall(r"```\n(pinnace\.toml:.*?)\n```", CONFIGURATION, re.DOTALL)
    with pytest.raises(ConfigError) as caught:
        settle(
            {"--http": "8500"},
            {"PINNACE_LOG__LEVEL": "loud"},
            "[dns]\nlistn = ':53'\ndomain = consul\n",
            "pinnace.toml",
        )
    assert shown_lines.splitlines()[:-1] == list(caught.value.problems)


def test_every_command_is_in_the_documents() -> None:
    text = "".join(path.read_text() for path in DOCUMENTS)
    for name in cli.COMMANDS:
        assert re.search(rf"`(?:pinnace )?{name}[` ]", text), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(document: Path) -> None:
    text = document.read_text()
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if not target.startswith("https://"):
            assert (document.parent / target).exists(), target
    for path in re.findall(r"`((?:sidecar|docs|requirements)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path


def test_every_decision_is_numbered_listed_and_half_a_page() -> None:
    index = (ROOT / "docs/README.md").read_text()
    site = (ROOT / "mkdocs.yml").read_text()
    for number, path in enumerate(DECISIONS, 1):
        text = path.read_text()
        assert path.name.startswith(f"{number:04}-")
        assert text.startswith(f"# {number:04} ")
        assert [f"**{part}.**" in text for part in ("Context", "Choice", "Given up")] == [True] * 3
        assert f"decisions/{path.name}" in index
        assert f"decisions/{path.name}" in site
        assert len(text.splitlines()) <= 45


def test_every_dependency_at_run_time_has_its_line_in_the_decision() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    names = [re.split(r"[><=\[ ]", line)[0] for line in lines]
    decision = (ROOT / "docs/decisions/0004-run-time-dependencies.md").read_text()
    assert [
        row.partition("|")[0].strip() for row in re.findall(r"^\| (.*)$", decision, re.MULTILINE)
    ][1:] == sorted(names)


def test_the_licence_is_the_one_the_project_declares() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"


def test_the_document_of_templates_has_each_key_with_its_default_and_a_meaning() -> None:
    found = rows(TEMPLATES)[: len(TEMPLATE_KEYS)]
    expected = [
        [code(name), "required" if name in {"source", "destination"} else code(shown(key.default))]
        for name, key in TEMPLATE_KEYS.items()
    ]
    assert [row[:2] for row in found] == expected
    assert all(row[2].endswith(".") for row in found)


def test_the_examples_of_templates_are_accepted_and_compile() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", TEMPLATES, re.DOTALL)
    assert len(settle({}, {}, example, "example").settings.template) == 1
    (template,) = re.findall(r"```jinja\n(.*?)```", TEMPLATES, re.DOTALL)
    compile_template("example", template, records=RECORDS)


def test_every_quoting_filter_and_every_filter_left_out_is_in_the_document() -> None:
    sandbox = Sandbox(RECORDS)
    named = set(re.findall(r"`(\w+)", TEMPLATES))
    assert set(QUOTING) | set(FILTERS) - set(sandbox.filters) <= named | {"e", "forceescape"}
