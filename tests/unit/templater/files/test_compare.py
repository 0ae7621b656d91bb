"""What counts as a difference between two files."""

import pytest

from templater.files.compare import Look, differences

SAME = Look(0, 0, 0o644, 3, "abc")


def test_a_missing_file_is_a_difference() -> None:
    assert differences("/d", None, SAME) == ("/d does not exist",)


def test_the_same_is_none() -> None:
    assert differences("/d", SAME, SAME) == ()


def test_each_difference_is_a_line() -> None:
    assert differences("/d", Look(1, 2, 0o600, 3, "abd"), SAME) == (
        "/d has UID 1 should be 0",
        "/d has GID 2 should be 0",
        "/d has mode -rw------- should be -rw-r--r--",
        "/d has md5sum abd should be abc",
    )


@pytest.mark.parametrize(
    ("mode", "shown"),
    [(0o204, "--w----r--"), (0o4755, "urwxr-xr-x"), (0o3777, "gtrwxrwxrwx"), (0, "----------")],
)
def test_a_mode_is_written_as_go_writes_one(mode: int, shown: str) -> None:
    (line,) = differences("/d", SAME._replace(mode=mode), SAME)
    assert line == f"/d has mode {shown} should be -rw-r--r--"


def test_a_size_counts_even_if_the_digest_did_not() -> None:
    assert len(differences("/d", SAME._replace(size=4), SAME)) == 1
