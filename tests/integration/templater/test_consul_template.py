"""The drop-in for consul-template on a real Consul, with real files, commands and children."""

import os
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.tools.consul import Consul
from tests.support.consul_template import ConsulTemplate, Writer
from tests.support.faults import killing_at_the_rename
from tests.support.oracle import consul_program
from tests.support.pace import allowed
from tests.support.pinnace import until
from tests.support.ports import free_port
from tests.support.web import get

EVERYTHING = """\
{{ key "ct/name" }} {{ keyOrDefault "ct/nope" "d" }} {{ keyExists "ct/nope" }}
{{ range ls "ct/list" }}{{ .Key }}={{ .Value }};{{ end }}
{{ range tree "ct/list" }}{{ .Path }}>{{ .Key }};{{ end }}
{{ range service "ct-web|any" }}{{ .ID }}:{{ .Port }} {{ .Tags | join "," }} {{ .Status }};{{ end }}
{{ range service "a.ct-web" }}{{ .ID }};{{ else }}{{ end }}\
{{ range service "ct-none" }}{{ else }}none{{ end }}
{{ range services }}{{ if .Tags | contains "a" }}{{ .Name }}{{ .Tags }}{{ end }}{{ end }}
{{ range nodes }}{{ .Node }};{{ end }}{{ with node }}{{ .Node.Node }}{{ end }} {{ datacenters }}
{{ with node "nobody" }}{{ .Node }}{{ end }}
"""


@pytest.fixture(scope="module")
def agent() -> Iterator[Consul]:
    with Consul(program=consul_program()) as running:
        yield running


@pytest.fixture
def writer(agent: Consul) -> Writer:
    writer = Writer(agent)
    writer.delete("ct")
    return writer


@pytest.fixture
def program(tmp_path: Path, agent: Consul) -> Iterator[ConsulTemplate]:
    with ConsulTemplate(tmp_path, agent.url) as program:
        yield program


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


def test_once_renders_what_needs_several_passes_and_ends(
    program: ConsulTemplate, writer: Writer
) -> None:
    for key, value in {"name": "shop", "list/a": "1", "list/sub/b": "2", "list/dir/": ""}.items():
        writer.put(f"ct/{key}", value)
    writer.register("ct-web", "web1", 80)
    writer.register("ct-web", "web2", 81, "critical")
    dest = program.template("all", EVERYTHING)
    source = program.folder / "all.ctmpl"
    done = program.run("-once", "-template", f"{source}:{dest}:echo ran > {program.folder}/ran")
    writer.deregister("web1")
    writer.deregister("web2")
    assert done.returncode == 0, done.stderr
    assert dest.read_text() == (
        "shop d false\n"
        "a=1;\n"
        "ct/list/a>a;ct/list/sub/b>sub/b;\n"
        "web1:80 a,b passing;web2:81 a,b critical;\n"
        "web1;none\n"
        "ct-web[a b]\n"
        "oracle;oracle [dc1]\n"
        "<nil>\n"
    )
    assert (program.folder / "ran").read_text() == "ran\n"
    assert stat.S_IMODE(dest.stat().st_mode) == 0o644


def test_certificates_of_the_mesh_are_rendered(program: ConsulTemplate) -> None:
    dest = program.template(
        "pem",
        "{{ range caRoots }}{{ .Active }} {{ .Name }} {{ .RootCertPEM }}{{ end }}"
        '{{ with caLeaf "web" }}{{ .Service }} {{ .ServiceURI }} {{ .SerialNumber }}\n'
        "{{ .CertPEM }}{{ .PrivateKeyPEM }}{{ .ValidBefore.Year }}{{ end }}",
    )
    done = program.run("-once", "-template", f"{program.folder / 'pem.ctmpl'}:{dest}")
    assert done.returncode == 0, done.stderr
    text = dest.read_text()
    assert text.startswith("true Consul CA Root Cert -----BEGIN CERTIFICATE-----\n")
    assert "\nweb spiffe://" in text
    assert text.count("-----BEGIN CERTIFICATE-----") == 2
    assert "PRIVATE KEY-----\n20" in text


def test_a_second_run_writes_nothing_and_runs_no_command(
    program: ConsulTemplate, writer: Writer
) -> None:
    writer.put("ct/name", "shop")
    ran = program.folder / "ran"
    more = f'command = "echo x >> {ran}"\n perms = 0600\n backup = true'
    config = program.config(program.block("web", '{{ key "ct/name" }}', more))
    assert program.run("-once", "-config", str(config)).returncode == 0
    dest = program.folder / "out" / "web"
    first = dest.stat()
    assert program.run("-once", "-config", str(config)).returncode == 0
    assert dest.stat().st_ino == first.st_ino
    assert stat.S_IMODE(first.st_mode) == 0o600
    assert ran.read_text() == "x\n"
    writer.put("ct/name", "store")
    assert program.run("-once", "-config", str(config)).returncode == 0
    assert dest.read_text() == "store"
    assert (dest.parent / "web.bak").read_text() == "shop"
    assert sorted(path.name for path in dest.parent.iterdir()) == ["web", "web.bak"]


def test_dry_prints_and_touches_nothing(program: ConsulTemplate, writer: Writer) -> None:
    writer.put("ct/name", "shop")
    dest = program.template("web", '{{ key "ct/name" }}\n')
    source = program.folder / "web.ctmpl"
    done = program.run("-once", "-dry", "-template", f"{source}:{dest}:touch {dest}.ran")
    assert (done.returncode, done.stdout) == (0, f"> {dest}\nshop\n")
    assert not dest.parent.exists()


def test_only_templates_that_use_a_change_are_written_and_equal_commands_run_once(
    program: ConsulTemplate, writer: Writer
) -> None:
    writer.put("ct/a", "1")
    writer.put("ct/b", "1")
    ran = program.folder / "ran"
    command = f'command = "echo x >> {ran}"'
    config = program.config(
        program.block("one", '{{ key "ct/a" }}{{ timestamp "05.000000000" }}', command)
        + program.block("two", '{{ key "ct/a" }}', command)
        + program.block("three", '{{ key "ct/b" }}')
    )
    program.start("-config", str(config))
    out = program.folder / "out"
    until(lambda: _holds(out / "three", "1") and _holds(out / "two", "1"))
    until(lambda: ran.exists() and ran.read_text() == "x\n")
    before = (out / "one").read_text()
    writer.put("ct/b", "2")
    until(lambda: _holds(out / "three", "2"))
    assert (out / "one").read_text() == before
    writer.put("ct/a", "2")
    until(lambda: _holds(out / "two", "2"))
    until(lambda: ran.read_text() == "x\nx\n")
    assert program.stop() == 0


def test_a_burst_waits_for_quiescence_and_ends_with_the_last(
    program: ConsulTemplate, writer: Writer
) -> None:
    writer.put("ct/a", "0")
    ran = program.folder / "ran"
    config = program.config(
        'wait = "300ms:5s"\n'
        + program.block("web", '{{ key "ct/a" }}', f'command = "echo x >> {ran}"')
    )
    program.start("-config", str(config))
    dest = program.folder / "out" / "web"
    until(lambda: _holds(dest, "0") and ran.exists())
    for number in range(1, 30):
        writer.put("ct/a", str(number))
        time.sleep(0.02)
    assert dest.read_text() == "0"
    until(lambda: _holds(dest, "29"))
    until(lambda: ran.read_text() == "x\nx\n")


def test_a_key_that_is_not_there_holds_one_template_back_and_no_other(
    program: ConsulTemplate, writer: Writer
) -> None:
    config = program.config(
        program.block("late", '{{ key "ct/late" }}{{ range safeLs "ct/safe" }}{{ .Key }}{{ end }}')
        + program.block("other", "here")
        + program.block("broken", "{{ key }}")
    )
    program.start("-config", str(config))
    out = program.folder / "out"
    until(lambda: _holds(out / "other", "here"))
    until(lambda: program.count("not rendered") == 1)
    writer.put("ct/late", "x")
    writer.put("ct/safe/a", "1")
    until(lambda: _holds(out / "late", "xa"))
    assert program.is_running()


def test_files_stay_while_the_agent_is_away_and_follow_it_when_it_is_back(tmp_path: Path) -> None:
    with Consul(program=consul_program(), dev=False) as agent:
        writer = Writer(agent)
        writer.put("ct/a", "1")
        with ConsulTemplate(tmp_path, agent.url) as program:
            dest = program.template("web", '{{ key "ct/a" }}')
            source = program.folder / "web.ctmpl"
            program.start("-template", f"{source}:{dest}", "-consul-retry-max-backoff", "500ms")
            until(lambda: _holds(dest, "1"))
            agent.stop()
            until(lambda: program.count("data cannot be read") == 1)
            assert dest.read_text() == "1"
            agent.start()
            until(lambda: program.count("data is read again") == 1, 30)
            writer.put("ct/a", "2")
            until(lambda: _holds(dest, "2"), 30)
            assert program.count("data cannot be read") == 1
            assert program.stop() == 0


def test_emptied_data_is_looked_at_twice(program: ConsulTemplate, writer: Writer) -> None:
    for number in range(6):
        writer.put(f"ct/many/{number}", "x")
    dest = program.template("web", '{{ range ls "ct/many" }}{{ .Key }}{{ end }}')
    program.start("-template", f"{program.folder / 'web.ctmpl'}:{dest}")
    until(lambda: _holds(dest, "012345"))
    writer.delete("ct/many")
    writer.put("ct/many/0", "x")
    until(lambda: program.count("looking again") == 1)
    writer.put("ct/many/1", "x")
    until(lambda: _holds(dest, "01"))


def test_a_command_that_fails_is_owed_until_it_succeeds_and_over_a_kill(
    program: ConsulTemplate, writer: Writer
) -> None:
    writer.put("ct/a", "1")
    gate, ran = program.folder / "gate", program.folder / "ran"
    command = f'command = "test -e {gate} && echo x >> {ran}"'
    config = program.config(program.block("web", '{{ key "ct/a" }}', command))
    program.start("-config", str(config))
    until(lambda: program.count("tried again until it succeeds") == 1)
    program.stop(signal.SIGKILL)
    gate.touch()
    program.start("-config", str(config))
    until(lambda: ran.exists() and ran.read_text() == "x\n")
    assert program.stop() == 0
    assert [path.name for path in (program.folder / "out").iterdir()] == ["web"]


def test_a_hanging_command_is_killed_with_its_group(
    program: ConsulTemplate, writer: Writer
) -> None:
    writer.put("ct/a", "1")
    pid = program.folder / "pid"
    more = f'command = "sleep 60 & echo $! > {pid}; wait"\n command_timeout = "2s"'
    config = program.config(program.block("web", '{{ key "ct/a" }}', more))
    done = program.run("-once", "-config", str(config))
    assert done.returncode == 14
    assert "killed after 2 s" in done.stderr
    until(lambda: not Path(f"/proc/{pid.read_text().strip()}").exists())


def test_templates_and_files_that_change_are_followed(program: ConsulTemplate) -> None:
    data = program.folder / "data"
    data.write_text("one")
    dest = program.template("web", f'{{{{ file "{data}" }}}}')
    program.start("-template", f"{program.folder / 'web.ctmpl'}:{dest}")
    until(lambda: _holds(dest, "one"))
    data.write_text("two!")
    until(lambda: _holds(dest, "two!"))
    program.template("web", f'[{{{{ file "{data}" }}}}]')
    until(lambda: _holds(dest, "[two!]"))
    program.template("web", "{{ broken")
    until(lambda: program.count("template is wrong") == 1)
    data.write_text("three")
    until(lambda: _holds(dest, "[three]"))


# --- children -------------------------------------------------------------------------------------

CHILD = """\
trap 'echo reloaded >> {folder}/events' HUP
trap 'echo told >> {folder}/events' USR1
trap 'echo ended >> {folder}/events; exit 0' TERM
echo started $(cat {folder}/out/web) >> {folder}/events
while :; do sleep 0.02; done
"""


def _child(program: ConsulTemplate) -> str:
    script = program.folder / "child.sh"
    script.write_text(CHILD.format(folder=program.folder))
    return f'"/bin/sh", "{script}"'


def _events(program: ConsulTemplate) -> list[str]:
    path = program.folder / "events"
    return path.read_text().splitlines() if path.exists() else []


def test_a_child_is_started_after_the_files_told_of_changes_and_ended(
    program: ConsulTemplate, writer: Writer
) -> None:
    writer.put("ct/a", "1")
    config = program.config(
        program.block("web", '{{ key "ct/a" }}')
        + f"exec {{\n command = [{_child(program)}]\n"
        + ' reload_signal = "SIGHUP"\n kill_signal = "SIGTERM"\n}\nreload_signal = "SIGUSR2"\n'
    )
    program.start("-config", str(config))
    until(lambda: _events(program) == ["started 1"])
    writer.put("ct/a", "2")
    until(lambda: _events(program)[1:] == ["reloaded"])
    program.send(signal.SIGUSR1)
    until(lambda: _events(program)[2:] == ["told"])
    assert program.stop() == 0
    assert _events(program)[3:] == ["ended"]


def test_a_child_without_a_signal_for_it_is_started_anew(
    program: ConsulTemplate, writer: Writer
) -> None:
    writer.put("ct/a", "1")
    config = program.config(
        program.block("web", '{{ key "ct/a" }}')
        + f'exec {{\n command = [{_child(program)}]\n kill_signal = "SIGTERM"\n}}\n'
    )
    program.start("-config", str(config))
    until(lambda: _events(program) == ["started 1"])
    writer.put("ct/a", "2")
    until(lambda: _events(program) == ["started 1", "ended", "started 2"])
    assert program.stop(signal.SIGINT) == 12


def test_the_end_of_a_child_is_ours(program: ConsulTemplate, writer: Writer) -> None:
    writer.put("ct/a", "1")
    dest = program.template("web", '{{ key "ct/a" }}')
    line = f"{program.folder / 'web.ctmpl'}:{dest}"
    assert program.run("-template", line, "-exec", "sh -c 'exit 7'").returncode == 7
    assert program.run("-once", "-template", line, "-exec", "true").returncode == 0
    stubborn = "trap '' INT; sleep 60 & wait; sleep 60"
    program.start("-template", line, "-exec", stubborn, "-exec-kill-timeout", "200ms")
    until(lambda: program.count("child started") == 1)
    assert program.stop(signal.SIGINT) == 12


def test_a_second_signal_does_not_wait_for_a_command(
    program: ConsulTemplate, writer: Writer
) -> None:
    writer.put("ct/a", "1")
    config = program.config(program.block("web", '{{ key "ct/a" }}', 'command = "sleep 25"'))
    program.start("-config", str(config))
    until(lambda: program.count("command started") == 1)
    begun = time.monotonic()
    program.send(signal.SIGTERM)
    until(lambda: program.count("stopping") == 1)
    assert program.stop() == 0
    assert time.monotonic() - begun < allowed(10)


def test_what_a_shell_started_has_its_time_to_end(program: ConsulTemplate) -> None:
    events = program.folder / "events"
    inner = program.folder / "inner"
    inner.write_text(
        f"trap 'sleep 0.5; echo gently >> {events}; exit' INT\n"
        f"echo started >> {events}\nwhile :; do sleep 0.02; done\n"
    )
    dest = program.template("web", "text")
    line = f"{program.folder / 'web.ctmpl'}:{dest}"
    program.start("-template", line, "-exec", f"sh {inner}; true")
    until(lambda: events.exists() and program.count("child started") == 1)
    assert program.stop(signal.SIGINT) == 12
    assert events.read_text() == "started\ngently\n"


def test_what_a_shell_started_and_does_not_end_is_killed(program: ConsulTemplate) -> None:
    events = program.folder / "events"
    inner = program.folder / "inner"
    inner.write_text(f"trap '' INT\necho $$ > {events}\nwhile :; do sleep 0.02; done\n")
    dest = program.template("web", "text")
    line = f"{program.folder / 'web.ctmpl'}:{dest}"
    program.start("-template", line, "-exec", f"sh {inner}; true", "-exec-kill-timeout", "300ms")
    until(lambda: events.exists() and bool(events.read_text()))
    until(lambda: program.count("child started") == 1)
    assert program.stop(signal.SIGINT) == 12
    until(lambda: not Path(f"/proc/{events.read_text().strip()}/cwd").exists())


def test_a_child_that_fails_is_started_again_when_asked_for(program: ConsulTemplate) -> None:
    events = program.folder / "events"
    dest = program.template("web", "text")
    line = f"{program.folder / 'web.ctmpl'}:{dest}"
    port = free_port()
    script = f"echo x >> {events}; test $(wc -l < {events}) -lt 2 && exit 3; sleep 60"
    program.start(
        "-template", line, "-exec", script, "-exec-restart-on-failure",
        "-exec-kill-timeout", "1s",  # a shell may take a signal between two commands as done
        "-metrics-addr", f"127.0.0.1:{port}",
    )  # fmt: skip
    until(lambda: b"not started again yet" in get(port, "/readyz")[1])
    until(lambda: events.read_text() == "x\nx\n" and get(port, "/readyz")[0] == 200)
    assert program.count("child failed; it is started again") == 1
    assert program.stop(signal.SIGINT) == 12


@pytest.mark.parametrize("command", ['["grep", "-q", "good", "{src}"]', '"grep good <{src} >&2"'])
def test_a_file_that_its_check_refuses_is_not_placed(
    program: ConsulTemplate, writer: Writer, command: str
) -> None:
    writer.put("ct/a", "good 1")
    text = program.block("we b", '{{ key "ct/a" }}', f"check_command = {command}")
    program.start("-config", str(program.config(text)))
    dest = program.folder / "out" / "we b"
    until(lambda: _holds(dest, "good 1"))
    writer.put("ct/a", "bad")
    until(lambda: program.count("check failed: exit status 1") == 1)
    assert dest.read_text() == "good 1"
    writer.put("ct/a", "good 2")
    until(lambda: _holds(dest, "good 2"), limit=30)
    assert [path.name for path in dest.parent.iterdir()] == ["we b"]
    assert program.stop() == 0


def test_a_check_that_hangs_is_killed_and_holds_up_neither_others_nor_the_end(
    program: ConsulTemplate, writer: Writer
) -> None:
    writer.put("ct/a", "1")
    slow = program.block(
        "slow", '{{ key "ct/a" }}', 'check_command = "sleep 61; true"\n check_timeout = "200ms"'
    )
    other = program.block("other", '{{ key "ct/a" }}')
    program.start("-config", str(program.config(slow + other)))
    until(lambda: _holds(program.folder / "out" / "other", "1"))
    until(lambda: program.count("check failed: killed after 0.2 s") == 1)
    assert not (program.folder / "out" / "slow").exists()
    program.config(slow.replace("200ms", "60s"))
    program.send(signal.SIGHUP)
    until(lambda: program.count("configuration read again") == 1)
    program.send(signal.SIGINT)
    assert program.wait() == 12


@pytest.mark.strace
@pytest.mark.parametrize(("moment", "content"), [("signal=KILL", "old"), ("delay_exit=60s", "new")])
def test_killed_at_the_rename_the_file_is_old_or_new_and_one_command_comes_later(
    program: ConsulTemplate, moment: str, content: str
) -> None:
    """By the signal it dies before the rename; in the delay, after it and before the command."""
    count = program.folder / "count"
    dest = program.template("web", "new")
    dest.parent.mkdir()
    dest.write_text("old")
    words = ("-once", "-template", f"{program.folder / 'web.ctmpl'}:{dest}:echo once >> {count}")
    program.start(*words, prefix=killing_at_the_rename(moment))
    if content == "new":
        until(lambda: dest.read_text() == "new")
        (child,) = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGKILL)
        program.kill()
    else:
        until(lambda: not program.is_running())
    assert dest.read_text() == content
    assert not count.exists()
    assert {path.name for path in dest.parent.iterdir()} > {"web"}, "the kill left something"
    done = program.run(*words)
    assert done.returncode == 0, done.stderr
    assert dest.read_text() == "new"
    assert count.read_text() == "once\n"
    assert [path.name for path in dest.parent.iterdir()] == ["web"]


# --- configuration --------------------------------------------------------------------------------


def test_a_signal_reads_the_configuration_again_and_a_bad_one_is_not_taken(
    program: ConsulTemplate, writer: Writer
) -> None:
    writer.put("ct/a", "1")
    config = program.config(program.block("one", '{{ key "ct/a" }}'))
    pid = program.folder / "run.pid"
    program.start("-config", str(config), "-pid-file", str(pid))
    out = program.folder / "out"
    until(lambda: _holds(out / "one", "1") and pid.exists())
    config.write_text("template { sauce = 1 }\n")
    program.send(signal.SIGHUP)
    until(lambda: program.count("did you mean source?") == 1)
    program.config(program.block("two", 'new {{ key "ct/a" }}'))
    program.send(signal.SIGHUP)
    until(lambda: _holds(out / "two", "new 1"))
    writer.put("ct/a", "2")
    until(lambda: _holds(out / "two", "new 2"))
    assert (out / "one").read_text() == "1"
    assert program.stop() == 0
    assert not pid.exists()


def test_a_wrong_template_ends_a_single_run(program: ConsulTemplate) -> None:
    dest = program.template("web", '{{ key "ct/a" ')
    config = program.config(
        f'template {{\n source = "{program.folder}/web.ctmpl"\n destination = "{dest}"\n}}\n'
        + program.block("good", "text")
    )
    assert program.run("-once", "-config", str(config)).returncode == 14
    assert not dest.exists()
    assert (program.folder / "out" / "good").read_text() == "text"


def test_a_lost_agent_ends_a_single_run_after_its_attempts(tmp_path: Path) -> None:
    with ConsulTemplate(tmp_path, "127.0.0.1:1") as program:
        dest = program.template("web", '{{ key "a" }}')
        line = f"{program.folder / 'web.ctmpl'}:{dest}"
        retry = ("-consul-retry-attempts", "3", "-consul-retry-backoff", "10ms")
        done = program.run("-once", "-template", line, *retry)
    assert done.returncode == 14
    assert not dest.exists()


def test_a_command_gets_the_address_and_no_token(program: ConsulTemplate) -> None:
    seen = program.folder / "seen"
    program.env = {"CONSUL_HTTP_TOKEN": "s3cret", "MY_PASSWORD": "s3cret", "PLAIN": "yes"}
    more = f'command = ["sh", "-c", "env > {seen}"]\n exec {{ env {{ custom = ["A=1"] }} }}'
    config = program.config(program.block("web", "text", more))
    assert program.run("-once", "-config", str(config)).returncode == 0
    text = seen.read_text()
    assert f"CONSUL_HTTP_ADDR={program.address}" in text
    assert "PLAIN=yes" in text
    assert "A=1" in text
    assert "s3cret" not in text


def test_metrics_and_readiness_are_served(program: ConsulTemplate, writer: Writer) -> None:
    port = free_port()
    source = program.folder / "web.ctmpl"
    dest = program.template("web", '{{ key "ct/a" }}')
    program.start("-template", f"{source}:{dest}", "-metrics-addr", f"127.0.0.1:{port}")
    until(lambda: b"is not rendered yet" in get(port, "/readyz")[1])
    writer.put("ct/a", "1")
    until(lambda: get(port, "/readyz")[0] == 200)
    assert b'pinnace_templater_renders_total{result="changed"} 1.0' in get(port, "/metrics")[1]
    taken = program.run("-template", f"{source}:{dest}", "-metrics-addr", f"127.0.0.1:{port}")
    assert taken.returncode == 14
    assert f"TCP port {port} on 127.0.0.1 is taken" in taken.stderr
    assert program.stop() == 0


def test_logs_go_to_a_file_too(program: ConsulTemplate, writer: Writer) -> None:
    writer.put("ct/a", "1")
    log = 'log_file {\n path = "%s/ct.log"\n}\n' % program.folder  # noqa: UP031
    config = program.config(log + program.block("web", '{{ key "ct/a" }}'))
    done = program.run("-once", "-config", str(config))
    assert done.returncode == 0
    (file,) = program.folder.glob("ct-*.log")
    assert "rendered" in file.read_text()
    assert file.read_text() in done.stderr


@pytest.mark.parametrize("once", [(), ("-once",)])
def test_an_absent_key_ends_the_run_when_asked_for(
    program: ConsulTemplate, writer: Writer, once: tuple[str, ...]
) -> None:
    writer.put("ct/a", "1")
    dest = program.template("web", '{{ key "ct/nope" }}')
    line = f"{program.folder / 'web.ctmpl'}:{dest}"
    done = program.run("-template", line, "-err-on-failed-lookup", *once)
    assert done.returncode == 14
    assert "kv.block(ct/nope) does not exist" in done.stderr
    assert not dest.exists()
