"""The example of the document on git-sync: a push is served by nginx, all in one pod."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.tools.engine import PrivateEngine
from tests.support.load import Load
from tests.support.pinnace import Pinnace, until
from tests.support.program_images import import_git_sync, import_nginx
from tests.support.repository import Repository

pytestmark = [pytest.mark.engine, pytest.mark.haproxy, pytest.mark.nginx]

DOCUMENT = Path(__file__).parents[3] / "docs" / "git-sync.md"


@pytest.fixture
def engine(engine: PrivateEngine) -> Iterator[PrivateEngine]:
    """The engine with the images of the example, without what a stack left on it."""
    import_git_sync(engine, "pinnace-git-sync:latest")
    import_nginx(engine, "nginx")
    yield engine
    found = engine.docker("ps", "-aq", "--filter", "label=pinnace.stack").split()
    if found:
        engine.docker("rm", "-f", "-v", *found)


def _example(repo: Path) -> str:
    """Return the document's stack with a repository of ours, on any port."""
    text = DOCUMENT.read_text().partition("```yaml\n")[2].partition("```")[0]
    assert "https://example.org/site.git" in text
    for old, new in {
        "https://example.org/site.git": "file:///repo",
        '["80:80"]': '["80"]',
        # Submodules are a script of git's that needs more of a system than the image here has.
        "GITSYNC_REF: main}": "GITSYNC_REF: main, GITSYNC_PERIOD: 200ms, "
        f'GITSYNC_SUBMODULES: "off"}}, volumes: ["{repo}:/repo:ro"]',
        "image: nginx": "image: nginx\n    network_mode: bridge",
        "      shared:": "      pod_image: web\n      shared:",
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def test_a_push_is_served_by_a_pod_without_a_failed_request(
    engine: PrivateEngine, tmp_path: Path
) -> None:
    repo = Repository(tmp_path / "repo", **{"index.html": "one"})
    file = tmp_path / "compose.yaml"
    file.write_text(_example(repo.folder))
    with Pinnace(engine.url, "--stack", str(file), env={"XDG_RUNTIME_DIR": str(tmp_path)}) as here:
        until(lambda: here.fetch("site.localhost") == (200, "one"), 60.0)
        with Load(here.lb_port, "site.localhost", clients=2, pause=0.01) as load:
            for text in ("two", "three"):
                repo.commit(**{"index.html": text})
                until(lambda: here.fetch("site.localhost") == (200, text))  # noqa: B023
        assert load.failures == []
