"""``pinnace render`` and ``pinnace validate`` with templates."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sidecar import cli

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    def one(*words: str) -> tuple[int, str, str]:
        status = cli.main(["pinnace", *words])
        found = capfdbinary.readouterr()
        return status, found.out.decode(), found.err.decode()

    return one


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "a.j2").write_text(
        "{% for one in service('web').ready %}{{ one.socket }}\n{% endfor %}"
    )
    (tmp_path / "b.go").write_text('{{key "color"}}\n')
    file = tmp_path / "pinnace.toml"
    file.write_text(
        f"[[template]]\nsource = '{tmp_path}/a.j2'\ndestination = '{tmp_path}/a'\n"
        f"[[template]]\nsource = '{tmp_path}/b.go'\ndestination = '{tmp_path}/b'\nlanguage = 'go'\n"
    )
    data: dict[str, Any] = {
        "services": {"web": [{"address": "192.0.2.1"}]},
        "keys": {"color": "red"},
    }
    (tmp_path / "data.json").write_text(json.dumps(data))
    return file


def test_templates_are_shown_with_made_up_data(run: Run, config: Path, tmp_path: Path) -> None:
    data = str(tmp_path / "data.json")
    assert run("render", "-c", str(config), "--data", data) == (
        0, f"> {tmp_path}/a\n192.0.2.1:80\n> {tmp_path}/b\nred\n", "",
    )  # fmt: skip
    found = run("render", "-c", str(config), "--data", data, str(tmp_path / "b"))
    assert found == (0, "red\n", "")
    assert not (tmp_path / "a").exists()


def test_differences_are_shown_and_nothing_is_written(
    run: Run, config: Path, tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("192.0.2.9:80\n")
    (tmp_path / "b").write_text("red\n")
    status, out, _ = run(
        "render", "-c", str(config), "--data", str(tmp_path / "data.json"), "--diff"
    )
    assert status == 0
    assert out.splitlines()[2:] == ["@@ -1 +1 @@", "-192.0.2.9:80", "+192.0.2.1:80"]
    assert (tmp_path / "a").read_text() == "192.0.2.9:80\n"


def test_a_template_that_fails_is_told_and_the_others_are_shown(
    run: Run, config: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.j2").write_text("\n{{ x }}")
    status, out, error = run("render", "-c", str(config), "--data", str(tmp_path / "data.json"))
    assert (status, out) == (1, f"> {tmp_path}/b\nred\n")
    assert error == "pinnace render: a.j2:2: 'x' is undefined\n"


def test_validate_compiles_every_template(run: Run, config: Path, tmp_path: Path) -> None:
    assert run("validate", "-c", str(config)) == (0, "ok\n", "")
    (tmp_path / "a.j2").write_text("{% for %}")
    (tmp_path / "b.go").unlink()
    status, _, error = run("validate", "-c", str(config))
    assert status == 78
    assert error.splitlines() == [
        "a.j2:1: Expected an expression, got 'end of statement block'",
        f"{tmp_path}/b.go: No such file or directory",
        "pinnace: 2 mistakes in the configuration",
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--data", "/none"), "/none: No such file or directory"),
        (("/none",), "/none: is no template's destination"),
        (("--http", "127.0.0.1:1"), "pinnace: no running pinnace at 127.0.0.1:1: "),
    ],
)
def test_what_cannot_be_shown_is_told(
    run: Run, config: Path, words: tuple[str, ...], told: str
) -> None:
    status, _, error = run("render", "-c", str(config), *words)
    assert status in {1, 78}
    assert told in error


def test_without_templates_there_is_nothing_to_show(run: Run) -> None:
    status, _, error = run("render")
    assert (status, error.splitlines()[0]) == (78, "there is no [[template]] in the configuration")
