"""What is due when: first renderings at once, timers after, failures again, commands once."""

from templater.consul_template.board import Board
from templater.consul_template.settings import ExecSettings, TemplateSettings, WaitSettings

SAME = ExecSettings(command=("reload it",))
WAIT = WaitSettings(1, 4)


def _board(*templates: TemplateSettings, is_once: bool = False) -> Board:
    return Board(templates, is_once=is_once)


def _template(name: str, wait: WaitSettings | None = None) -> TemplateSettings:
    return TemplateSettings(source=name, destination=f"/out/{name}", run=SAME, wait=wait)


def _all_written(board: Board) -> None:
    for user in board.ready(0):
        board.begin(user)
        board.succeeded(user)
    assert board.complete()


def test_everything_is_done_at_once_at_first_and_then_only_what_changed() -> None:
    board = _board(_template("a"), _template("b"))
    assert board.ready(0) == [0, 1]
    assert not board.complete()
    _all_written(board)
    assert board.ready(9) == []
    assert board.next(9) is None
    board.touch([1], 9)
    assert board.ready(9) == [1]


def test_timers_count_once_all_is_written() -> None:
    board = _board(_template("a", WAIT), _template("b"))
    board.touch([0], 0)
    assert board.ready(0) == [0, 1]
    _all_written(board)
    board.touch([0, 1], 10)
    assert board.ready(10) == [1]
    assert board.next(10) == 0
    board.begin(1)
    assert board.next(10) == 1
    board.touch([0], 10.5)
    assert board.ready(11) == []
    assert board.ready(11.5) == [0]
    board.begin(0)
    assert board.ready(99) == []


def test_a_single_run_has_no_timers_and_writes_nothing_twice() -> None:
    board = _board(_template("a", WAIT), is_once=True)
    _all_written(board)
    board.touch([0], 1)
    assert board.ready(1) == []


def test_what_could_not_be_written_is_tried_again_later_and_at_a_change() -> None:
    board = _board(_template("a"))
    board.begin(0)
    assert board.failed(0, "disk full", 5, again=True)
    assert not board.failed(0, "disk full", 5, again=True)
    assert board.ready(5) == []
    assert 0 < (board.next(5) or 0) <= 2
    assert board.ready(9) == [0]
    board.touch([0], 5)
    assert board.ready(5) == [0]
    board.begin(0)
    assert board.failed(0, "template wrong", 5, again=False)
    assert board.ready(999) == []
    assert board.failures() == ['"a" => "/out/a": template wrong']
    board.succeeded(0)
    assert board.failures() == []


def test_equal_commands_are_one_and_owed_until_they_succeed() -> None:
    other = TemplateSettings(source="c", destination="/c", run=ExecSettings(command=("x", "y")))
    plain = TemplateSettings(source="d", destination="/d")
    board = _board(_template("a"), other, _template("b"), plain)
    for user in (3, 2, 1, 0):
        board.owe(user)
    assert board.commands(0) == [("reload it",), ("x", "y")]
    assert board.debts["reload it",].owners == {0, 2}
    assert board.command_failed(("x", "y"), "exit status 1", 0)
    assert not board.command_failed(("x", "y"), "exit status 1", 0)
    assert board.commands(0) == [("reload it",)]
    assert board.failures() == ["exit status 1"]
    board.owe(1)
    assert len(board.commands(0)) == 2
