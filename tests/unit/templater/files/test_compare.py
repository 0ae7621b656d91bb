"""What counts as a difference between two files."""

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
        "/d has mode 0600 should be 0644",
        "/d has md5sum abd should be abc",
    )


def test_a_size_counts_even_if_the_digest_did_not() -> None:
    assert len(differences("/d", SAME._replace(size=4), SAME)) == 1
