"""git-sync's command line: flags, variables, what is refused."""

from typing import Any

import pytest

from sidecar.config.goflags import Help
from sidecar.errors import ConfigError
from sidecar.gitsync.configs import pairs_of
from sidecar.gitsync.credentials import Credential, line_of
from sidecar.gitsync.options import (
    Hook,
    Options,
    Target,
    Webhook,
    options_of,
)

NEEDED = ("--repo=https://example.org/a/site.git", "--root=/git")


def _options(*words: str, **environ: str) -> Options:
    return options_of([*NEEDED, *words], environ)


def _wrong(*words: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        options_of(words, environ)
    return "\n".join(caught.value.problems)


def test_what_is_not_said_is_as_in_git_sync() -> None:
    found = _options()
    assert found == Options(
        repo="https://example.org/a/site.git", root="/git", link="site.git",
        ssh_keys=("/etc/git-secret/ssh",), known_hosts="/etc/git-secret/known_hosts",
    )  # fmt: skip
    assert (found.ref, found.depth, found.period, found.timeout) == ("HEAD", 1, 10.0, 120.0)


def test_flags_are_stronger_than_variables_and_those_than_old_ones() -> None:
    found = _options("--ref=a", GITSYNC_REF="b", GIT_SYNC_DEPTH="3", GITSYNC_DEPTH="2")
    assert (found.ref, found.depth) == ("a", 2)
    assert _options(GIT_SYNC_LINK="old").link == "old"
    assert _options(GITSYNC_ONE_TIME="true").is_once
    assert not _options("--one-time=false", GITSYNC_ONE_TIME="true").is_once
    assert _options(GITSYNC_SSH_KEY_FILE="/a:/b").ssh_keys == ("/a", "/b")
    assert _options("--ssh-key-file", "/a", "--ssh-key-file", "/b").ssh_keys == ("/a", "/b")


@pytest.mark.parametrize(
    ("word", "field", "value"),
    [
        ("--link=live", "link", "live"), ("--dest=live", "link", "live"),
        ("--branch=b", "ref", "b"), ("--rev=r", "ref", "r"),
        ("--wait=0.5", "period", 0.5), ("--timeout=7", "timeout", 7),
        ("--period=1m", "period", 60.0), ("--init-period=2s", "init_period", 2.0),
        ("--max-sync-failures=4", "max_failures", 4), ("--max-failures=-1", "max_failures", -1),
        ("--init-max-failures=9", "init_max_failures", 9),
        ("--publish=in-place", "in_place", True),
        ("--exechook-command=/a", "after", Hook("/a", 30.0, 3.0)),
        ("--sync-hook-command=/a", "after", Hook("/a", 30.0, 3.0)),
        ("--pre-publish-exechook-command=/a", "before", Hook("/a", 30.0, 3.0)),
        ("--webhook-url=http://h/", "webhook", Webhook("http://h/", "POST", 200, 1.0, 3.0)),
        ("--signal-container=web", "targets", (Target("web", (), "HUP"),)),
        ("--signal-container=web:USR1", "targets", (Target("web", (), "USR1"),)),
        ("--signal-container=a=b,c=d:9", "targets", (Target("", ("a=b", "c=d"), "9"),)),
        ("--ssh-known-hosts=false", "known_hosts", ""), ("--cookie-file", "has_cookies", True),
        ("--git-config=a.b:c", "config", (("a.b", "c"),)), ("-v=5", "verbose", 5),
        ("--git-config-add=a.b:c", "config", (("a.b", "c"),)), ("--verbose=2", "verbose", 2),
        ("--http-bind=:80", "bind", "0.0.0.0:80"), ("--docker=tcp://d", "docker", "tcp://d"),
        ("--group-write", "is_group_writable", True), ("--git-gc=off", "gc", "off"),
        ("--stale-worktree-timeout=1h", "stale_timeout", 3600.0),
        ("--submodules=off", "submodules", "off"), ("--add-user", "adds_user", True),
    ],
)  # fmt: skip
def test_each_flag_means_what_it_says(word: str, field: str, value: object) -> None:
    assert getattr(_options(word), field) == value


def test_the_engine_is_dockers_own_where_none_is_named() -> None:
    assert _options(DOCKER_HOST="tcp://d:1").docker == "tcp://d:1"
    assert _options().docker == "unix:///var/run/docker.sock"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "--repo is required\n--root is required"),
        (("--period=1ms",), "--period must be at least 0.01s"),
        (("--period=x",), "--period: time: invalid duration"),
        (("--wait=x",), "--wait: could not convert"),
        (("--depth=-1",), "--depth must be at least 0"),
        (("--submodules=some",), "must be one of recursive, shallow, off, not 'some'"),
        (("--publish=copy",), "must be one of link, in-place"),
        (("--exechook-command=a", "--exechook-backoff=1ms"), "--exechook-backoff must be"),
        (("--webhook-url=ftp://a",), "must start with http"),
        (("--signal-container==a",), "names no container"),
        (("--username=a",), "--username and one of --password-file"),
        (("--password-file=a",), "--username and one of --password-file"),
        (("--password=a",), "can be read by everybody"),
        (("--github-app-client-id=a",), "GitHub apps are not supported"),
        (("--credential=x",), "--credential is no JSON"),
        (("--credential={}",), "--credential needs url"),
        (('--credential={"url":"a","username":"b","password":"c","password-file":"d"}',), "needs"),
        (("--git-config=a",), "no ':' after a key"),
        (("--http-bind=x",), "has no port"),
        (("--no-such",), "flag provided but not defined: -no-such"),
        (("more",), "unexpected argument 'more'"),
    ],
)
def test_what_is_wrong_is_told(words: tuple[str, ...], says: str) -> None:
    needed = NEEDED if words else ()
    assert says in _wrong(*needed, *words)


def test_a_variable_that_is_no_number_is_told() -> None:
    assert "--depth: 'x' is no number" in _wrong(*NEEDED, GITSYNC_DEPTH="x")


def test_help_is_asked_for() -> None:
    with pytest.raises(Help):
        options_of(["-h"], {})


def test_a_password_in_the_url_is_taken_out_of_it() -> None:
    found = options_of(["--repo=https://me:se%2Fcret@example.org:8443/a", "--root=/r"], {})
    assert found.repo == "https://example.org:8443/a"
    assert found.credentials == (Credential("https://example.org:8443", "me", "se/cret"),)
    assert "se/cret" not in repr(found)
    assert "already" in _wrong(
        "--repo=https://me:x@example.org/a", "--root=/r", "--username=a", GITSYNC_PASSWORD="p"
    )


def test_a_user_has_a_password_or_a_file_but_not_both() -> None:
    site = "https://example.org"
    found = _options("--username=me", GITSYNC_PASSWORD="p").credentials
    assert found == (Credential(site, "me", "p"),)
    found = _options("--username=me", "--password-file=/f").credentials
    assert found == (Credential(site, "me", "", "/f"),)
    assert "only one of" in _wrong(
        *NEEDED, "--username=me", "--password-file=/f", GITSYNC_PASSWORD="p"
    )
    there = options_of(["--repo=/a/b", "--root=/r", "--username=me", "--password-file=/f"], {})
    assert there.credentials == (Credential("/a/b", "me", "", "/f"),)


def test_a_line_of_the_store_has_everything_escaped() -> None:
    credential = Credential("https://example.org:1/a", "m@e")
    assert line_of(credential, "p:/w") == "https://m%40e:p%3A%2Fw@example.org:1\n"


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        ("a:b", [("a", "b")]),
        ("a:b, c:d", [("a", "b"), ("c", "d")]),
        ('"a:x":b', [("a:x", "b")]),
        ('a:"b,c",d:e', [("a", "b,c"), ("d", "e")]),
        (r"a:b\,c\n", [("a", "b,c\n")]),
        (r'"a\"":"\\\t"', [('a"', "\\\t")]),
        ("a:b:c", [("a", "b:c")]),
    ],
)
def test_settings_for_git_are_read(text: str, pairs: Any) -> None:
    assert pairs_of(text) == pairs


@pytest.mark.parametrize(
    ("text", "says"),
    [('"a"b', "no colon"), ('"a', "no closing quote"), ('a:"b"c', "unexpected 'c'"),
     (r"a:\x", r"\\x is not known"), ("a:b\\", "is not known")],
)  # fmt: skip
def test_settings_for_git_that_are_wrong_are_told(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        pairs_of(text)
