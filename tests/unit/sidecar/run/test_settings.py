"""The jobs of ``pinnace run``: what a file says, and where it is wrong."""

import pytest

from sidecar.errors import ConfigError
from sidecar.run.settings import UNLIMITED, Health, Job, Ready, Watch, When, read

TOML = """
catalog = "http://127.0.0.1:8500"
[[job]]
name = "db"
exec = ["/bin/db", "-x"]
ready = { tcp = "127.0.0.1:80" }
restarts = "unlimited"
[[job]]
name = "web"
exec = "/bin/web 'a b'"
needs = ["db"]
when = { source = "db", once = "healthy", timeout = "1m" }
health = { exec = "true", interval = "500ms" }
stop_timeout = 3
port = 80
tags = ["a"]
[[watch]]
name = "cache"
interval = "2s"
"""
YAML = """
run:
  catalog: http://127.0.0.1:8500
  job:
    - {name: db, exec: [/bin/db, -x], ready: {tcp: "127.0.0.1:80"}, restarts: unlimited}
    - name: web
      exec: /bin/web 'a b'
      needs: db
      when: {source: db, once: healthy, timeout: 1m}
      health: {exec: "true", interval: 500ms}
      stop_timeout: 3
      port: 80
      tags: [a]
  watch: [{name: cache, interval: 2s}]
other: ignored
"""


@pytest.mark.parametrize(("text", "file"), [(TOML, "f.toml"), (YAML, "f.yaml")])
def test_both_languages_say_the_same(text: str, file: str) -> None:
    found = read(text, file)
    db, web = found.jobs
    assert db == Job(name="db", exec=("/bin/db", "-x"), ready=Ready(tcp="127.0.0.1:80"),
                     restarts="unlimited")  # fmt: skip
    assert (web.exec, web.needs) == (("/bin/web", "a b"), ("db",))
    assert web.when == When(source="db", once="healthy", timeout=60.0)
    assert web.health == Health(exec=("true",), interval=0.5)
    assert (web.stop_timeout, web.port, web.tags, web.most) == (3.0, 80, ("a",), 0)
    assert found.watches == (Watch(name="cache", interval=2.0),)
    assert found.catalog == "http://127.0.0.1:8500"


@pytest.mark.parametrize(
    ("more", "most"),
    [("", 0), ("restarts = 3", 3), ("restarts = 'never'", 0), ("restarts = 'unlimited'", UNLIMITED),
     ("when = {interval = '1s'}", UNLIMITED), ("when = {interval = '1s'}\nrestarts = 2", 2)],
)  # fmt: skip
def test_how_often_a_job_is_started_again(more: str, most: int) -> None:
    (job,) = read(f"[[job]]\nname = 'a'\nexec = 'a'\n{more}\n", "f").jobs
    assert job.most == most


def test_a_signal_is_an_event_of_its_own() -> None:
    text = "[[job]]\nname = 'a'\nexec = 'a'\nwhen = {source = 'SIGHUP', each = 'SIGHUP'}\n"
    (job,) = read(text, "f").jobs
    assert job.when is not None
    assert (job.when.is_signal, job.when.event) == (True, "SIGHUP")
    (plain,) = read("[[job]]\nname = 'a'\nexec = 'a'\nwhen = {interval = 1}\n", "f").jobs
    assert plain.when is not None
    assert plain.when.event == "startup"


A = "[[job]]\nname = 'a'\nexec = 'a'\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "f:1:1: there is no job"),
        ("x = 1", "f:1:1: unknown key 'x'"),
        ("[[job]\n", "f:1:6: "),
        ("[[job]]\nname = 'A'\nexec = 'a'\n", "f:1:3: 'A' is no name"),
        ("[[job]]\nname = 'a'\n", "f:1:3: Object missing required field `exec`"),
        (A + "exce = 'x'", "f:4:1: unknown key 'exce'"),
        (A + "port = 'x'", "f:4:1: Expected `int`, got `str`"),
        (A + "exec2 = 1", "unknown key 'exec2'"),
        ("[[job]]\nname = 'a'\nexec = 3\n", "must be text or a list of texts"),
        (A + "timeout = 'soon'", "'soon' is not a duration"),
        (A + "restarts = 'often'", "restarts is a number, unlimited or never"),
        (A + "when = {}", "needs one of once, each and interval"),
        (A + "when = {once = 'helthy'}", "f:4:1: 'helthy' is no event; did you mean healthy?"),
        (A + "when = {each = 'ready'}\nrestarts = 'unlimited'", "do not go with when.each"),
        (A + "ready = {tcp = 'x'}", "'x' has no port"),
        (A + A, "f:5:1: there is a job 'a' already"),
        (A + "needs = ['b']", "f:4:1: the job 'b' is not there"),
        (A + "needs = ['b']\n" + A.replace("'a'", "'b'"), "the job 'b' must stand above it"),
        (A + "[[watch]]\nnam = 'x'", "f:5:1: unknown key 'nam'"),
        (A + "[[watch]]\ninterval = 'x'\nname = 'a'", "'x' is not a duration"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text, "f")
    assert any(each.startswith("f:") and says in each for each in caught.value.problems), (
        caught.value.problems
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("job: [\n", "f.yaml:2:1: "), ("[1]", "f.yaml:1:1: there is no job"),
        ("job:\n  - {name: a, exec: a, prt: 1}", "f.yaml:2:24: unknown key 'prt'"),
        ("job:\n  - 3", "f.yaml:2:5: Expected `object`, got `int`"),
    ],
)  # fmt: skip
def test_yaml_has_places_too(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text, "f.yaml")
    assert any(says in each for each in caught.value.problems), caught.value.problems
