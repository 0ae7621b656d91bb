"""confd that stays: follows values, templates and resources; survives kill, hangs and bad data."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.confd import Confd
from tests.support.faults import killing_at_the_rename
from tests.support.pace import allowed
from tests.support.pinnace import until
from tests.support.ports import free_port
from tests.support.web import get


@pytest.fixture
def confd(tmp_path: Path) -> Iterator[Confd]:
    with Confd(tmp_path) as program:
        program.put({"a": "1"})
        yield program


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


def test_a_change_reaches_the_file_and_a_burst_ends_with_the_last(confd: Confd) -> None:
    dest = confd.resource("web", '{{getv "/a"}}', reload_cmd="sleep 0.05")
    confd.start("-watch")
    until(lambda: _holds(dest, "1"))
    for number in range(100):
        confd.put({"a": str(number)})
        time.sleep(0.005)
    until(lambda: _holds(dest, "99"))
    assert confd.stop() == 0
    assert "Captured terminated. Exiting..." in confd.log()


def test_template_and_resource_files_are_followed(confd: Confd) -> None:
    dest = confd.resource("web", "one")
    confd.start("-watch", "-stat-cache-ttl=100ms")
    until(lambda: _holds(dest, "one"))
    confd.template("web.tmpl", "two")
    until(lambda: _holds(dest, "two"))
    other = confd.resource("other", '{{getv "/a"}}')
    until(lambda: _holds(other, "1"))
    (confd.folder / "conf.d" / "other.toml").write_text("[template\n")
    until(lambda: confd.count("other.toml:1:") == 1)
    confd.put({"a": "2"})
    until(lambda: _holds(other, "2"))  # the resource stays as it was while its file is bad
    confd.resource("other", '{{getv "/a"}}', mode="0600")
    until(lambda: other.stat().st_mode & 0o777 == 0o600)
    (confd.folder / "conf.d" / "other.toml").unlink()
    confd.template("web.tmpl", "three")
    until(lambda: _holds(dest, "three"))
    confd.put({"a": "3"})
    time.sleep(0.6)
    assert other.read_text() == "2"


def test_only_what_reads_a_changed_key_is_rendered(confd: Confd) -> None:
    confd.put({"a": "1", "b": "1"})
    count = confd.folder / "count"
    one = confd.resource("one", '{{getv "/a"}}', check_cmd=f"echo one >> {count}")
    two = confd.resource(
        "two", '{{range gets "/b*"}}{{.Value}}{{end}}', check_cmd=f"echo two >> {count}"
    )
    confd.start("-watch", "-log-level", "debug")
    until(lambda: _holds(one, "1") and _holds(two, "1"))
    confd.put({"a": "2", "b": "1"})
    until(lambda: _holds(one, "2"))
    confd.put({"a": "2", "b": "2"})
    until(lambda: _holds(two, "2"))
    assert sorted(count.read_text().split()) == ["one", "one", "two", "two"]
    assert confd.count("in sync") == 0, "nobody was rendered for nothing"


def test_a_broken_resource_does_not_hold_up_the_others(confd: Confd) -> None:
    bad = confd.resource("bad", '{{getv "/later"}}')
    slow = confd.resource("slow", '{{getv "/a"}}', reload_cmd="sleep 5")
    good = [confd.resource(f"good{n}", '{{getv "/a"}}') for n in range(8)]
    confd.start("-watch")
    until(lambda: all(_holds(path, "1") for path in [slow, *good]))
    confd.put({"a": "2"})
    until(lambda: all(_holds(path, "2") for path in good))
    assert not bad.exists()
    assert confd.count("key does not exist: /later") == 1, "told once, not at each change"
    confd.put({"a": "2", "later": "x"})
    until(lambda: _holds(bad, "x"))
    confd.kill()


@pytest.mark.parametrize("command", ["check_cmd", "reload_cmd"])
def test_a_hanging_command_is_killed_with_its_group_and_tried_again(
    confd: Confd, command: str
) -> None:
    tries, children = confd.folder / "tries", confd.folder / "children"
    hang = f"{{ sleep 60 & echo $! >> {children}; wait; }}"
    script = f"echo try >> {tries}; test $(wc -l < {tries}) -gt 1 || {hang}"
    dest = confd.resource("web", "x", **{command: script, f"{command}_timeout": "2s"})
    confd.start("-watch")
    until(lambda: confd.count(f"Target config {dest} has been updated") == 1)
    assert tries.read_text() == "try\n" * 2
    (child,) = children.read_text().split()
    until(
        lambda: (
            not Path(f"/proc/{child}").exists()
            or "zombie" in Path(f"/proc/{child}/status").read_text()
        )
    )
    assert "killed after 2 s" in confd.log()
    assert [path.name for path in confd.out.iterdir()] == ["web"]


def test_a_failing_reload_is_tried_until_it_succeeds(confd: Confd) -> None:
    flag, tries = confd.folder / "works", confd.folder / "tries"
    dest = confd.resource("web", "x", reload_cmd=f"echo t >> {tries}; test -e {flag}")
    confd.start("-watch")
    until(lambda: tries.exists() and len(tries.read_text().split()) >= 2)
    flag.touch()
    until(lambda: confd.count(f"Target config {dest} has been updated") == 1)
    assert confd.count("tried again until it succeeds") == 1, "told once"


def test_killed_while_it_reloads_it_reloads_after_the_restart(confd: Confd) -> None:
    begun, done = confd.folder / "begun", confd.folder / "done"
    script = f"test -e {begun} && touch {done} || {{ touch {begun}; sleep 3; }}"
    dest = confd.resource("web", "x", reload_cmd=script)
    confd.start("-watch")
    until(begun.exists)
    confd.kill()
    assert dest.read_text() == "x"
    confd.start("-watch")
    until(done.exists)
    until(lambda: [path.name for path in confd.out.iterdir()] == ["web"])


@pytest.mark.strace
@pytest.mark.parametrize(("moment", "content"), [("signal=KILL", "old"), ("delay_exit=60s", "new")])
def test_killed_at_the_rename_the_file_is_old_or_new_and_one_reload_comes_later(
    confd: Confd, moment: str, content: str
) -> None:
    """By the signal it dies before the rename; in the delay, after it and before the reload."""
    count = confd.folder / "count"
    dest = confd.resource("web", "new", reload_cmd=f"echo once >> {count}")
    dest.write_text("old")
    confd.start("-onetime", prefix=killing_at_the_rename(moment))
    if content == "new":
        until(lambda: dest.read_text() == "new")
        (child,) = Path(f"/proc/{confd.pid}/task/{confd.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGKILL)
        confd.kill()
    else:
        until(lambda: not confd.is_running())
    assert dest.read_text() == content
    assert not count.exists()
    assert {path.name for path in confd.out.iterdir()} > {"web"}, "the kill left something"
    done = confd.once()
    assert done.returncode == 0, done.stderr
    assert dest.read_text() == "new"
    assert count.read_text() == "once\n"
    assert [path.name for path in confd.out.iterdir()] == ["web"]


def test_reloads_are_postponed_and_never_dropped(confd: Confd) -> None:
    seen = confd.folder / "seen"
    dest = confd.resource(
        "web", '{{getv "/a"}}', reload_cmd=f"{{ cat {{{{.dest}}}}; echo; }} >> {seen}",
        min_reload_interval="1s",
    )  # fmt: skip
    confd.start("-watch")
    until(lambda: seen.exists() and seen.read_text() == "1\n")
    begun = time.monotonic()
    for number in range(2, 30):
        confd.put({"a": str(number)})
        time.sleep(0.01)
    until(lambda: _holds(dest, "29"))
    until(lambda: seen.read_text().endswith("29\n"))
    # The first lies a second back at most; everything since then is in one reload.
    assert seen.read_text() == "1\n29\n"
    assert time.monotonic() - begun < allowed(3)


def test_values_that_are_gone_leave_the_files(confd: Confd) -> None:
    dest = confd.resource("web", '{{range gets "/app/*"}}{{.Value}} {{end}}')
    confd.put({"app": {str(n): str(n) for n in range(6)}})
    confd.start("-watch")
    until(lambda: _holds(dest, "0 1 2 3 4 5 "))
    confd.values.rename(confd.folder / "away")
    until(lambda: confd.count("cannot be read") == 1)
    time.sleep(0.7)
    assert confd.count("cannot be read") == 1, "one line per change of state"
    assert dest.read_text() == "0 1 2 3 4 5 "
    (confd.folder / "away").rename(confd.values)
    until(lambda: confd.count("is read again") == 1)


def test_most_keys_gone_is_believed_at_the_second_look_only(confd: Confd) -> None:
    full = {"app": {str(n): str(n) for n in range(6)}}
    dest = confd.resource("web", '{{range gets "/app/*"}}{{.Value}} {{end}}')
    confd.put(full)
    confd.start("-watch")
    until(lambda: _holds(dest, "0 1 2 3 4 5 "))
    confd.put({})
    until(lambda: confd.count("looking again") == 1)
    confd.put(full)
    time.sleep(1.5)
    assert dest.read_text() == "0 1 2 3 4 5 "
    confd.put({})
    until(lambda: _holds(dest, ""))
    assert confd.count("looking again") == 2


def test_too_few_keys_are_never_rendered(confd: Confd) -> None:
    confd.put({"app": {"1": "x", "2": "y"}})
    dest = confd.resource("web", '{{range gets "/app/*"}}{{.Value}}{{end}}', min_keys=2)
    confd.start("-watch")
    until(lambda: _holds(dest, "xy"))
    confd.put({"app": {"1": "x"}})
    until(lambda: confd.count("fewer than min_keys") == 1)
    assert dest.read_text() == "xy"


def test_the_interval_alone_follows_too_and_mends_what_others_changed(confd: Confd) -> None:
    dest = confd.resource("web", '{{getv "/a"}}')
    confd.start("-interval", "1")
    until(lambda: _holds(dest, "1"))
    confd.put({"a": "2"})
    until(lambda: _holds(dest, "2"))
    dest.write_text("spoiled")
    until(lambda: _holds(dest, "2"))


def test_sighup_takes_new_settings_and_keeps_the_old_when_they_are_bad(confd: Confd) -> None:
    confd.put({"a": "1", "p": {"a": "below"}})
    settings = confd.folder / "confd.toml"
    settings.write_text('prefix = "/"\n')
    dest = confd.resource("web", '{{getv "/a"}}', keys='["/a"]')
    confd.start("-watch")
    until(lambda: _holds(dest, "1"))
    settings.write_text("prefix = 5\n")
    confd.send(signal.SIGHUP)
    until(lambda: confd.count("configuration not taken") == 1)
    settings.write_text('prefix = "/p"\n')
    confd.send(signal.SIGHUP)
    until(lambda: _holds(dest, "below"))
    assert confd.stop(signal.SIGINT) == 0


def test_metrics_and_readiness_are_served(confd: Confd) -> None:
    port = free_port()
    flag = confd.folder / "works"
    dest = confd.resource("web", "x", reload_cmd=f"test -e {flag}")
    confd.start("-watch", f"-metrics-addr=127.0.0.1:{port}")

    until(lambda: get(port, "/healthz")[0] == 200)
    until(lambda: b"reload of" in get(port, "/readyz")[1])
    assert get(port, "/readyz")[0] == 503
    assert b"pinnace_templater_owed_reloads 1.0" in get(port, "/metrics")[1]
    flag.touch()
    until(lambda: get(port, "/readyz") == (200, json.dumps({"trouble": []}).encode()))
    assert b"pinnace_templater_owed_reloads 0.0" in get(port, "/metrics")[1]
    assert get(port, "/nope")[0] == 404
    assert dest.read_text() == "x"


def test_a_stop_lets_a_running_reload_end(confd: Confd) -> None:
    begun, done = confd.folder / "begun", confd.folder / "done"
    confd.resource("web", "x", reload_cmd=f"touch {begun}; sleep 0.5; touch {done}")
    confd.start("-watch")
    until(begun.exists)
    assert confd.stop() == 0
    assert done.exists()
    assert not any(path.name.endswith("owed") for path in confd.out.iterdir())


def test_no_process_is_left_over(confd: Confd) -> None:
    dest = confd.resource("web", '{{getv "/a"}}', reload_cmd="true")
    confd.start("-watch")
    for number in range(30):
        confd.put({"a": str(number)})
        time.sleep(0.02)
    until(lambda: _holds(dest, "29"))
    children = Path(f"/proc/{confd.pid}/task/{confd.pid}/children")
    until(lambda: not children.read_text().split())
    assert len(os.listdir(f"/proc/{confd.pid}/fd")) < 40


def test_an_included_file_is_followed(confd: Confd) -> None:
    confd.template("part", "one")
    dest = confd.resource("web", '{{include "part"}}')
    confd.start("-watch", "-stat-cache-ttl=100ms")
    until(lambda: _holds(dest, "one"))
    time.sleep(0.3)
    confd.template("part", "two!")
    until(lambda: _holds(dest, "two!"))


def test_a_change_of_many_resources_of_a_group_is_one_reload(confd: Confd) -> None:
    count, flag = confd.folder / "count", confd.folder / "works"
    flag.touch()
    command = f"echo once >> {count}; test -e {flag}"
    files = [
        confd.resource(f"r{n}", '{{getv "/a"}}', reload_cmd=command, reload_group="lb")
        for n in range(10)
    ]
    alone = confd.resource("alone", '{{getv "/a"}}', reload_cmd=f"echo alone >> {count}")
    confd.start("-watch")
    until(lambda: confd.count("has been updated") == 11)
    begun = count.read_text().split()
    assert begun.count("once") <= 3, "at the start they come one after the other"
    assert begun.count("alone") == 1
    flag.unlink()
    confd.put({"a": "2"})
    until(lambda: all(_holds(path, "2") for path in [*files, alone]))
    until(lambda: confd.count("tried again until it succeeds") == 10)
    flag.touch()
    until(lambda: confd.count("has been updated") == 22)
    until(lambda: not any(path.name.endswith("owed") for path in confd.out.iterdir()))
    assert count.read_text().split().count("once") <= len(begun) + 3


def test_a_directory_exchanged_while_it_is_written_to_gets_the_file(confd: Confd) -> None:
    """The check command plays whoever switches the link between writing and renaming."""
    old, new, link = (confd.folder / name for name in ("v1", "v2", "current"))
    old.mkdir()
    new.mkdir()
    link.symlink_to("v1")
    switch = f"ln -sfn v2 {confd.folder}/next && mv -T {confd.folder}/next {link}"
    confd.resource("web", "x", dest=str(link / "web"), check_cmd=switch)
    confd.start("-watch")
    until(lambda: _holds(new / "web", "x"))
    assert "was exchanged while it was written to" in confd.log()
    until(lambda: [path.name for path in new.iterdir()] == ["web"])


def test_a_backend_of_files_follows_a_switched_link(confd: Confd) -> None:
    """As a cluster's configuration volume is exchanged as a whole."""
    for name, text in (("v1", "one"), ("v2", "two")):
        (confd.folder / name).mkdir()
        (confd.folder / name / "values.json").write_text(json.dumps({"a": text}))
    link = confd.folder / "data"
    link.symlink_to("v1")
    confd.backend = ("-backend", "file", "-file", str(link / "values.json"))
    dest = confd.resource("web", '{{getv "/a"}}')
    confd.start("-watch")
    until(lambda: _holds(dest, "one"))
    (confd.folder / "next").symlink_to("v2")
    (confd.folder / "next").replace(link)
    until(lambda: _holds(dest, "two"))
