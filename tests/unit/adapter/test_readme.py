"""The README and the document say what the code does."""

import re
from pathlib import Path

import adapter.exposition
from adapter.http.rules import targets_of
from adapter.statsd.families import OWN
from adapter.statsd.flags import FLAGS
from tests.support.readme import shown_metrics

README = Path(adapter.exposition.__file__).parent / "README.md"
DOCUMENT = README.parents[1] / "docs/adapters.md"


def test_every_metric_is_in_it() -> None:
    assert shown_metrics(README, "statsd_") == OWN
    shown = shown_metrics(README, "pinnace_adapter_http_")
    source = (README.parent / "http/component.py").read_text()
    declared = re.findall(r'f"\{_PREFIX\}(\w+)"', source)
    assert shown == {f"pinnace_adapter_http_{name}" for name in declared}


def test_every_flag_of_our_own_is_in_it() -> None:
    text = README.read_text()
    ours = [flag.name for flag in FLAGS if flag.meaning.startswith("Ours")]
    assert [name for name in ours if f"`--{name}`" not in text] == []


def test_the_example_of_targets_is_right() -> None:
    example = re.findall(r"```yaml\n(targets:.*?)```", DOCUMENT.read_text(), re.DOTALL)[0]
    assert len(targets_of(example, "targets.yml", {"QUEUE_TOKEN": "t"})) == 2


def test_every_key_of_targets_and_rules_is_in_the_document() -> None:
    source = (README.parent / "http/rules.py").read_text()
    keys = re.findall(r"^_(?:TARGET|RULE): Final = \((.*)\)$", source, re.MULTILINE)
    text = DOCUMENT.read_text()
    for key in re.findall(r'"(\w+)"', " ".join(keys)):
        assert f"| `{key}` |" in text, key
