"""confd's -onetime, as a process: order of things, exit statuses, log lines, faults of the disk."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.confd import Confd
from tests.support.faults import bound, mounted


@pytest.fixture
def confd(tmp_path: Path) -> Iterator[Confd]:
    with Confd(tmp_path) as program:
        program.put({"a": "1", "app": {"host": "web", "port": 80}})
        yield program


def test_a_file_is_written_checked_and_its_reader_told(confd: Confd) -> None:
    dest = confd.resource(
        "web", "{{getv \"/app/host\"}}:{{getv \"/app/port\"}}\n",
        check_cmd="test -s {{.src}} && echo {{.src}} > " + str(confd.folder / "checked"),
        reload_cmd="cp {{.dest}} " + str(confd.folder / "reloaded"),
    )  # fmt: skip
    done = confd.once()
    assert done.returncode == 0, done.stderr
    assert dest.read_text() == "web:80\n"
    assert (confd.folder / "reloaded").read_text() == "web:80\n"
    checked = Path((confd.folder / "checked").read_text().strip())
    assert checked.parent == dest.parent
    assert checked.name.startswith(".web")
    assert stat.S_IMODE(dest.stat().st_mode) == 0o644
    assert [path.name for path in confd.out.iterdir()] == ["web"]


def test_a_log_line_has_confds_form(confd: Confd) -> None:
    confd.resource("web", "x")
    lines = confd.once().stderr.splitlines()
    form = re.compile(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d) \S+ \S*confd\[\d+\]: INFO .+"
    )
    assert lines
    assert all(form.fullmatch(line) for line in lines), lines
    assert lines[-1].endswith(f"Target config {confd.out / 'web'} has been updated")


def test_a_template_keeps_its_bytes(confd: Confd) -> None:
    dest = confd.resource("web", "")
    text = b'\xef\xbb\xbfone\r\n{{getv "/a"}}\r\n\xff\x00'
    (confd.folder / "templates" / "web.tmpl").write_bytes(text)
    resource = confd.folder / "conf.d" / "web.toml"
    resource.write_bytes(b"\xef\xbb\xbf" + resource.read_bytes().replace(b"\n", b"\r\n"))
    done = confd.once()
    assert done.returncode == 0, done.stderr
    assert dest.read_bytes() == text.replace(b'{{getv "/a"}}', b"1")


def test_an_absolute_source_is_below_the_folder_of_templates(confd: Confd) -> None:
    dest = confd.resource("web", "x")
    resource = confd.folder / "conf.d" / "web.toml"
    resource.write_text(resource.read_text().replace('"web.tmpl"', '"/web.tmpl"'))
    assert confd.once().returncode == 0
    assert dest.read_text() == "x"


def test_set_id_bits_of_the_old_file_are_not_kept(confd: Confd) -> None:
    dest = confd.resource("web", "x")
    dest.write_text("x")
    dest.chmod(0o4755)
    assert "has mode urwxr-xr-x should be -rwxr-xr-x" in confd.once().stderr
    assert stat.S_IMODE(dest.stat().st_mode) == 0o755


def test_an_owner_that_is_unknown_is_told_and_left(confd: Confd) -> None:
    dest = confd.resource("web", "x", owner="nobody-of-that-name", group="nor-that")
    done = confd.once()
    assert done.returncode == 0, done.stderr
    assert "WARNING" in done.stderr
    assert "nobody-of-that-name" in done.stderr
    assert "nor-that" in done.stderr
    assert dest.exists()
    dest.unlink()
    confd.backend = ("file", "--file", str(confd.values))
    assert confd.once().returncode == 1, "the fork says it is an error"
    assert not dest.exists()


def test_a_check_command_that_is_no_template_has_failed(confd: Confd) -> None:
    confd.resource("web", "x", check_cmd="true {{.src")
    assert "FATAL Config check failed: template: checkcmd:1: unclosed" in confd.once().stderr
    confd.resource("web", "x", check_cmd="kill -9 $$")
    assert "FATAL Config check failed: signal: killed" in confd.once().stderr


def test_a_missing_folder_of_resources_is_an_error_an_empty_one_a_warning(confd: Confd) -> None:
    done = confd.once()
    assert done.returncode == 0
    assert "WARNING Found no templates" in done.stderr
    (confd.folder / "conf.d").rmdir()
    done = confd.once()
    assert done.returncode == 1
    assert f"FATAL stat {confd.folder}/conf.d: no such file or directory" in done.stderr


def test_the_file_backend_without_a_file_has_no_values(confd: Confd) -> None:
    dest = confd.resource("web", '{{exists "/a"}}')
    confd.backend = ("-backend", "file")
    done = confd.once()
    assert done.returncode == 0, done.stderr
    assert dest.read_text() == "false"
    assert "WARNING" in done.stderr


def test_debug_lines_tell_each_step(confd: Confd) -> None:
    dest = confd.resource("web", "x", prefix="/app")
    lines = [
        line.partition(": DEBUG ")[2] for line in confd.once("-log-level=debug").stderr.splitlines()
    ]
    source = confd.folder / "templates" / "web.tmpl"
    resource = confd.folder / "conf.d" / "web.toml"
    assert [line for line in lines if line] == [
        f"Loading template resources from confdir {confd.folder}",
        f"Found template: {resource}",
        f"Loading template resource from {resource}",
        "Retrieving keys from store",
        "Key prefix set to /app",
        f"Using source template {source}",
        f"Compiling source template {source}",
        f"Comparing candidate config to {dest}",
        f"Overwriting target config {dest}",
    ]


def test_what_is_in_sync_is_left_alone(confd: Confd) -> None:
    dest = confd.resource("web", "x", reload_cmd="echo once >> " + str(confd.folder / "count"))
    confd.once()
    before = dest.stat()
    assert confd.once().returncode == 0
    assert (dest.stat().st_ino, dest.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert (confd.folder / "count").read_text() == "once\n"


def test_a_refused_file_leaves_the_old_one(confd: Confd) -> None:
    dest = confd.resource("web", "new", check_cmd="echo no good; exit 3")
    dest.write_text("old")
    done = confd.once()
    assert done.returncode == 1
    assert dest.read_text() == "old"
    assert 'ERROR "no good\\n"' in done.stderr
    assert "FATAL Config check failed: exit status 3" in done.stderr
    assert [path.name for path in confd.out.iterdir()] == ["web"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{{getv "/nope"}}', 'bad.tmpl:1:2: executing "bad.tmpl" at <getv "/nope">: error'),
        ('{{getv "/nope"}}', "error calling getv: key does not exist: /nope"),
        ("{{if}}", "Unable to process template "),
        ("x\n{{nope 1}}", 'template: bad.tmpl:2: function "nope" not defined'),
    ],
)  # fmt: skip
def test_one_broken_template_among_ten_does_not_stop_the_nine(
    confd: Confd, text: str, words: str
) -> None:
    for number in range(9):
        confd.resource(f"good{number}", "x")
    confd.resource("bad", text)
    done = confd.once()
    assert done.returncode == 1
    assert {path.name for path in confd.out.iterdir()} == {f"good{n}" for n in range(9)}
    assert words in done.stderr


def test_a_bad_resource_file_does_not_stop_the_good_one(confd: Confd) -> None:
    good = confd.resource("good", "x")
    (confd.folder / "conf.d" / "bad.toml").write_text("[template]\nsrc = \n")
    (confd.folder / "conf.d" / "empty.toml").write_text('[template]\ndest = "/x"\n')
    done = confd.once()
    assert done.returncode == 1
    assert good.read_text() == "x"
    assert "bad.toml:2:" in done.stderr
    assert "empty src template" in done.stderr


def test_a_reload_that_failed_is_done_by_the_next_run(confd: Confd) -> None:
    flag, count = confd.folder / "works", confd.folder / "count"
    dest = confd.resource("web", "x", reload_cmd=f"echo try >> {count}; test -e {flag}")
    assert confd.once().returncode == 1
    assert dest.read_text() == "x"
    assert confd.once().returncode == 1, "in sync, but its reader does not know"
    flag.touch()
    assert confd.once().returncode == 0
    assert confd.once().returncode == 0
    assert count.read_text() == "try\n" * 3
    assert [path.name for path in confd.out.iterdir()] == ["web"]


def test_noop_and_diff_change_nothing(confd: Confd) -> None:
    dest = confd.resource("web", "new\n", reload_cmd="touch " + str(confd.folder / "reloaded"))
    dest.write_text("old\n")
    assert "Noop mode enabled" in confd.once("-noop").stderr
    done = confd.run("-diff")
    assert done.returncode == 0
    assert done.stdout.splitlines()[2:] == ["@@ -1 +1 @@", "-old", "+new"]
    assert dest.read_text() == "old\n"
    assert not (confd.folder / "reloaded").exists()
    assert [path.name for path in confd.out.iterdir()] == ["web"]


def test_sync_only_runs_no_command(confd: Confd) -> None:
    dest = confd.resource("web", "x", check_cmd="exit 1", reload_cmd="exit 1")
    assert confd.once("-sync-only").returncode == 0
    assert dest.read_text() == "x"


def test_the_stage_file_of_a_dry_run_is_kept_when_asked(confd: Confd) -> None:
    confd.resource("web", "new")
    confd.once("-noop", "-keep-stage-file")
    (kept,) = confd.out.iterdir()
    assert kept.name.startswith(".web")
    assert kept.read_text() == "new"


def test_owner_group_and_mode_are_set(confd: Confd) -> None:
    dest = confd.resource("web", "x", mode="0640", owner="nobody", gid=0)
    assert confd.once().returncode == 0
    found = dest.stat()
    assert stat.S_IMODE(found.st_mode) == 0o640
    if os.geteuid() == 0:
        assert found.st_uid == 65534


def test_a_decimal_mode_is_what_confd_makes_of_it_and_is_told(confd: Confd) -> None:
    dest = confd.resource("web", "x", mode="644")
    done = confd.once()
    assert stat.S_IMODE(dest.stat().st_mode) == 0o204
    assert 'mode "644" is decimal and means 0204' in done.stderr


def test_an_existing_mode_stays(confd: Confd) -> None:
    dest = confd.resource("web", "x")
    dest.write_text("y")
    dest.chmod(0o600)
    assert confd.once().returncode == 0
    assert stat.S_IMODE(dest.stat().st_mode) == 0o600


@pytest.mark.mounts
def test_a_mount_point_is_written_in_place(confd: Confd) -> None:
    dest = confd.resource("web", "new", reload_cmd="touch " + str(confd.folder / "reloaded"))
    dest.write_text("a longer old text")
    below = confd.folder / "below"
    below.write_text("a longer old text")
    with bound(below, dest):
        assert confd.once().returncode == 0
        assert dest.read_text() == "new"
    assert below.read_text() == "new"
    assert (confd.folder / "reloaded").exists()
    assert [path.name for path in confd.out.iterdir()] == ["web"]


@pytest.mark.mounts
def test_a_full_disk_leaves_the_old_file_and_nothing_else(confd: Confd) -> None:
    with mounted(confd.folder / "small", "-t", "tmpfs", "-o", "size=64k", "tmpfs") as small:
        dest = confd.resource("web", "{{range seq 1 40000}}x{{end}}", dest=str(small / "web"))
        dest.write_text("old")
        (small / "ballast").write_bytes(b"x" * 40_000)
        done = confd.once()
        assert done.returncode == 1
        assert f"cannot write {dest}: No space left on device" in done.stderr
        assert dest.read_text() == "old"
        assert {path.name for path in small.iterdir()} == {"web", "ballast"}
        (small / "ballast").unlink()
        assert confd.once().returncode == 0
        assert len(dest.read_text()) == 40_000


@pytest.mark.mounts
def test_a_read_only_folder_is_one_clear_line(confd: Confd) -> None:
    with mounted(confd.folder / "ro", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs") as folder:
        confd.resource("web", "x", dest=str(folder / "web"))
        done = confd.once()
        assert done.returncode == 1
        assert f"ERROR cannot write {folder / 'web'}: Read-only file system" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_link_is_replaced_and_never_written_through(confd: Confd) -> None:
    dest = confd.resource("web", "new")
    secret = confd.folder / "secret"
    secret.write_text("do not touch")
    dest.symlink_to(secret)
    assert confd.once().returncode == 0
    assert secret.read_text() == "do not touch"
    assert not dest.is_symlink()
    assert dest.read_text() == "new"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["-nope"], 2, "flag provided but not defined: -nope"),
        (["-interval"], 2, "flag needs an argument: -interval"),
        (["-watch=maybe"], 2, 'invalid boolean value "maybe" for -watch'),
        (["-backend", "nope"], 1, "FATAL"),
        (["-backend", "ssm"], 1, "Invalid backend ssm: no package adds it"),
        (["-log-level", "loud"], 1, "not a valid log level"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(
    confd: Confd, arguments: list[str], status: int, words: str
) -> None:
    done = confd.run(*arguments)
    assert done.returncode == status
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_confdir_is_told_and_no_failure(confd: Confd) -> None:
    done = confd.run("-onetime", "-confdir", "/nonexistent/confd")
    assert done.returncode == 0
    assert "WARNING Cannot load template resources" in done.stderr


def test_the_forks_command_line_joins_prefixes(confd: Confd) -> None:
    confd.put({"prod": {"web": {"host": "h"}}})
    dest = confd.resource("web", '{{getv "/host"}}', keys='["/host"]', prefix="/web")
    confd.backend = ()
    command = ("file", "--file", str(confd.values), "--onetime", "--prefix", "/prod")
    done = confd.run(*command)
    assert done.returncode == 0, done.stderr
    assert dest.read_text() == "h"
    confd.put({"prod": {"host": "flat"}})
    done = confd.run("-backend=file", "-file", str(confd.values), "-onetime", "-prefix", "/prod")
    assert done.returncode == 0, done.stderr
    assert dest.read_text() == "flat"


def test_a_command_gets_no_secret_from_our_environment(confd: Confd) -> None:
    seen = confd.folder / "seen"
    confd.resource("web", "x", reload_cmd=f"env > {seen}")
    confd.env = {"CONSUL_HTTP_TOKEN": "s3cret", "DB_PASSWORD": "s3cret", "KEEP_ME": "yes"}
    confd.once()
    assert "s3cret" not in seen.read_text()
    assert "KEEP_ME=yes" in seen.read_text()


def test_check_config_reports_every_mistake_and_touches_nothing(confd: Confd) -> None:
    confd.resource("one", "{{if}}")
    confd.resource("two", "{{nope}}")
    confd.resource("three", "x", mode="rw")
    done = confd.run("-check-config")
    assert done.returncode == 1
    for name in ("one", "two", "three"):
        assert f"{name}.toml" in done.stderr
    assert not list(confd.out.iterdir())
    for name in ("one", "two", "three"):
        confd.resource(name, "x")
    assert confd.run("-check-config").stdout == "ok: 3 template resources\n"


def test_bytes_that_are_no_text_reach_the_file_unchanged(confd: Confd) -> None:
    dest = confd.resource("web", '{{getv "/bin"}}')
    (confd.folder / "raw.yml").write_text("bin: !!binary //4A\n")
    done = confd.run("-onetime", "-file", str(confd.folder / "raw.yml"))
    assert done.returncode == 0, done.stderr
    assert dest.read_bytes() == b"\xff\xfe\x00"


def test_include_takes_files_of_the_templates_folder(confd: Confd) -> None:
    parts = confd.folder / "templates" / "parts"
    parts.mkdir()
    (parts / "line.tmpl").write_text('{{getv "/a"}}-{{.}}')
    dest = confd.resource("web", '{{include "parts/line.tmpl" "x"}} {{include "/parts/line.tmpl"}}')
    done = confd.once()
    assert done.returncode == 0, done.stderr
    assert dest.read_text() == "1-x 1-<no value>"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("../x.tmpl", "", 'include path "../x.tmpl" is outside template directory'),
        ("parts/../../x", "", "is outside template directory"),
        ("none.tmpl", None, "include none.tmpl: open "),
        ("me.tmpl", '{{include "me.tmpl"}}', "include cycle detected: "),
        ("bad.tmpl", "{{", "parse include bad.tmpl: "),
        ("fails.tmpl", '{{getv "/no"}}', "execute include fails.tmpl: "),
    ],
)
def test_an_include_that_cannot_be_is_told(
    confd: Confd, name: str, text: str | None, words: str
) -> None:
    if text:
        confd.template(name, text)
    dest = confd.resource("web", f'{{{{include "{name}"}}}}')
    done = confd.once()
    assert done.returncode == 1
    assert words in done.stderr
    assert not dest.exists()


def test_includes_stand_ten_deep_at_most(confd: Confd) -> None:
    for number in range(11):
        confd.template(f"{number}.tmpl", f'{{{{include "{number + 1}.tmpl"}}}}')
    confd.template("11.tmpl", "end")
    dest = confd.resource("web", '{{include "2.tmpl"}}')
    assert confd.once().returncode == 0
    assert dest.read_text() == "end"
    confd.resource("web", '{{include "1.tmpl"}}')
    assert "maximum include depth (10) exceeded" in confd.once().stderr


def test_addresses_of_an_interface_are_found(confd: Confd) -> None:
    dest = confd.resource("web", '{{lookupIfaceIPV4 "lo"}} {{lookupIfaceIPV6 "lo"}}')
    done = confd.once()
    assert done.returncode == 0, done.stderr
    assert dest.read_text() in {"127.0.0.1 ::1", "127.0.0.1 "}, "a machine may have no IPv6"
    confd.resource("web", '{{lookupIfaceIPV4 "none9"}}')
    assert "no such network interface" in confd.once().stderr


def test_resources_of_one_group_are_reloaded_once_after_all_of_them(confd: Confd) -> None:
    seen, flag = confd.folder / "seen", confd.folder / "works"
    command = f"ls {confd.out} | tr '\\n' ' ' >> {seen}; echo >> {seen}; test -e {flag}"
    for name in ("a", "b", "c"):
        confd.resource(name, "x", reload_cmd=command, reload_group="lb")
    assert confd.once().returncode == 1
    assert seen.read_text() == "a b c \n"
    flag.touch()
    assert confd.once().returncode == 0, "owed by all, done once"
    assert seen.read_text() == "a b c \n" * 2
    assert sorted(path.name for path in confd.out.iterdir()) == ["a", "b", "c"]
    confd.resource("d", "x", reload_cmd="true", reload_group="lb")
    assert "its reload_cmd is not that of " in confd.once().stderr


@pytest.mark.parametrize("is_fork", [False, True], ids=["confd", "fork"])
def test_checks_mock_data_and_diff_are_there_in_both_dialects(confd: Confd, is_fork: bool) -> None:
    mock = confd.folder / "mock.yml"
    mock.write_text("a: mocked\n")
    nowhere = ("--node", "127.0.0.1:1")
    confd.backend = ("consul", *nowhere) if is_fork else ("-backend", "consul", *nowhere)
    dest = confd.resource("web", '{{getv "/a"}}\n')
    assert "ok: 1 template resources" in confd.run("--check-config").stdout
    mocked = ("--mock-data", str(mock))
    assert confd.run("--validate", *mocked).returncode == 0
    done = confd.run("--diff", *mocked)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == [f"+++ {dest}", "@@ -0,0 +1 @@", "+mocked"]
    assert not dest.exists()
    assert confd.once(*mocked).returncode == 0
    assert dest.read_text() == "mocked\n"
    mock.write_text("b: x\n")
    assert "key does not exist: /a" in confd.run("--validate", *mocked).stderr
    confd.template("web.tmpl", "{{nope}}")
    done = confd.run("--check-config")
    assert done.returncode == 1
    assert 'function "nope" not defined' in done.stderr


def test_sprig_is_there_and_confds_own_functions_stand_before_it(confd: Confd) -> None:
    confd.put({"a": "x,y"})
    dest = confd.resource(
        "web",
        '{{join (split (getv "/a") ",") "-"}} {{getv "/a" | sprig_splitList "," | sprig_join "+"}}'
        ' {{upper "b"}} {{replace "aa" "a" "b" 1}} {{sprig_replace "a" "b" "aa"}} {{env "WHO"}}',
    )
    confd.env = {"WHO": "me"}
    assert confd.once().returncode == 0
    assert dest.read_text() == "x-y x+y B ba bb me"
