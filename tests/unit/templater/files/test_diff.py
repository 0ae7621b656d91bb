"""What would change, as diff -u shows it."""

from templater.files.diff import unified


def test_a_change_has_its_surroundings() -> None:
    old = b"".join(b"%d\n" % n for n in range(9))
    text = unified("/d", old, old.replace(b"4\n", b"x\n"), 1, color=False)
    assert text == "--- /d\n+++ /d\n@@ -4,3 +4,3 @@\n 3\n-4\n+x\n 5\n"


def test_a_new_file_comes_from_nowhere() -> None:
    assert unified("/d", None, b"a\n", color=False) == "--- /dev/null\n+++ /d\n@@ -0,0 +1 @@\n+a\n"


def test_a_missing_line_end_is_told() -> None:
    assert unified("/d", b"a", b"b\n", color=False).splitlines()[3:] == [
        "-a", "\\ No newline at end of file", "+b",
    ]  # fmt: skip


def test_nothing_changed_is_nothing() -> None:
    assert unified("/d", b"a", b"a", color=False) == ""


def test_colors_are_ends_of_their_own_lines() -> None:
    text = unified("/d", b"0\na\n", b"0\nb\n", color=True)
    assert "\x1b[31m-a\x1b[0m\n" in text
    assert "\x1b[32m+b\x1b[0m\n" in text
    assert "\n 0\n" in text
    assert text.startswith("--- /d\n+++ /d\n\x1b[36m@@")
