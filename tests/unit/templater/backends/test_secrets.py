"""Vault's answers as keys, and how a token is had."""

import pytest

from sidecar.errors import ConfigError
from templater.backends.secrets import Login, Mount, login_of, secret_values


def test_a_secret_with_only_a_value_is_that_text() -> None:
    assert secret_values("/s/a", {"value": "x"}) == {"/s/a": "x"}


def test_another_secret_is_its_json_and_its_texts() -> None:
    assert secret_values("/s/a", {"user": "u", "deep": {"p": "q"}, "n": 1}) == {
        "/s/a": '{"deep":{"p":"q"},"n":1,"user":"u"}', "/s/a/user": "u", "/s/a/deep/p": "q",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("mount", "key", "url"),
    [
        (Mount("secret/", is_versioned=False), "/secret/a/b", "/v1/secret/a/b"),
        (Mount("secret/", is_versioned=True), "/secret/a/b", "/v1/secret/data/a/b"),
        (Mount("secret/", is_versioned=True), "/secret/data/a", "/v1/secret/data/a"),
        (Mount("kv/team/", is_versioned=True), "/kv/team/a", "/v1/kv/team/data/a"),
        (Mount("", is_versioned=False), "/x", "/v1/x"),
    ],
)
def test_version_two_puts_a_word_after_the_mount(mount: Mount, key: str, url: str) -> None:
    assert mount.url(key, "data") == url


GIVEN = {
    "auth-token": "t", "role-id": "r", "secret-id": "s", "app-id": "a", "user-id": "u",
    "username": "n", "password": "p", "jwt": "j",
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "login"),
    [
        ("token", Login(token="t")),
        ("app-role", Login("/v1/auth/approle/login", {"role_id": "r", "secret_id": "s"})),
        ("app-id", Login("/v1/auth/app-id/login", {"app_id": "a", "user_id": "u"})),
        ("github", Login("/v1/auth/github/login", {"token": "t"})),
        ("userpass", Login("/v1/auth/userpass/login/n", {"password": "p"})),
        ("kubernetes", Login("/v1/auth/kubernetes/login", {"jwt": "j", "role": "r"})),
        ("cert", Login("/v1/auth/cert/login")),
    ],
)
def test_every_way_to_log_in(kind: str, login: Login) -> None:
    assert login_of(kind, GIVEN) == login


def test_the_mount_path_can_be_another_and_secrets_do_not_show() -> None:
    login = login_of("app-role", {**GIVEN, "path": "team"})
    assert login.path == "/v1/auth/team/login"
    assert "'s'" not in repr(login)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("token", "needs -auth-token"), ("", "have to set the auth type"), ("magic", "is not known")],
)
def test_what_is_missing_is_told(kind: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        login_of(kind, {})
