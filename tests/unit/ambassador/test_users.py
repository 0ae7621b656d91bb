"""Users of a file of Redis' form, and scripts by their digest."""

import re

import pytest

from ambassador.redis.scripts import Scripts
from ambassador.redis.users import users_in


def test_users_are_those_that_are_on() -> None:
    text = f"""
# people
user default off nopass ~* &* +@all
user app on >first >second #{"a" * 64} ~* &* +@all
user off off >third
user silent on
""".replace("nopass ", "")
    assert users_in(text) == (("app", ">first"), ("app", ">second"), ("app", f"#{'a' * 64}"))
    assert users_in("") == ()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("app:secret", "1: write: user NAME on >PASSWORD"),
        ("\nuser app", "2: write: user NAME"),
        ("user app on >p ~cache:*", "1: '~cache:*' is not kept here; the servers have rules"),
        ("user app on nopass", "1: 'nopass' is not kept here"),
        ("user app on #abc", "1: '#abc' is not kept here"),
    ],
)
def test_what_a_users_file_cannot_say_is_told_with_its_line(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=re.escape(wrong)):
        users_in(text)


def test_scripts_are_known_by_their_digest_until_there_is_no_room() -> None:
    scripts = Scripts()
    scripts.saw(b"return 1")
    digest = b"e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
    assert scripts.text(digest) == scripts.text(digest.upper()) == b"return 1"
    assert scripts.text(b"0" * 40) is None
    scripts.saw(b"-- " + b"x" * (1 << 16))  # too long to keep
    for number in range(20):
        scripts.saw(b"return 1")  # in use
        scripts.saw(b"-- %d " % number + b"x" * 60_000)
    assert scripts.text(digest) == b"return 1"
    scripts = Scripts()
    scripts.saw(b"return 1")
    for number in range(20):
        scripts.saw(b"-- %d " % number + b"x" * 60_000)
    assert scripts.text(digest) is None
