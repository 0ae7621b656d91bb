"""What is said first on a connection, and which refusals of it matter."""

import pytest

from ambassador.redis.greeting import ALONE, DEFAULT, Attributes, Refused, check, greeting
from ambassador.redis.resp import Failure

ANN = Attributes(db=3, protocol=3, user=b"ann", password=b"secret")


def test_a_connection_is_set_in_the_order_that_redis_needs() -> None:
    assert greeting(DEFAULT) == []
    assert greeting(Attributes(is_reading=True), name=b"n", is_alone=True) == [
        (b"CLIENT", b"SETNAME", b"n"), (b"READONLY",), ALONE,
    ]  # fmt: skip
    assert greeting(ANN) == [
        (b"SELECT", b"3"), (b"AUTH", b"ann", b"secret"), (b"HELLO", b"3"), (b"SELECT", b"3"),
    ]  # fmt: skip
    assert greeting(Attributes(password=b"p")) == [(b"AUTH", b"p")]


def test_a_user_who_may_not_choose_a_database_is_in_it_all_the_same() -> None:
    words = greeting(ANN)
    check(words, [b"OK", b"OK", [], Failure(b"NOPERM no")])
    check(words, [Failure(b"NOAUTH first"), b"OK", [], b"OK"])
    with pytest.raises(Refused, match="NOPERM"):
        check(words, [Failure(b"NOPERM first"), b"OK", [], Failure(b"NOPERM no")])


def test_a_name_that_is_refused_does_not_matter_and_a_login_does() -> None:
    check([(b"CLIENT", b"SETNAME", b"n"), ALONE], [Failure(b"ERR"), Failure(b"ERR")])
    with pytest.raises(Refused, match="WRONGPASS"):
        check([(b"AUTH", b"p")], [Failure(b"WRONGPASS no")])


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(ANN)
