"""When a resource is rendered and reloaded."""

from templater.keeping.agenda import Agenda, Step

RENDER, RELOAD = (Step.RENDER, None), (Step.RELOAD, None)


def waits(seconds: float | None) -> tuple[Step, float | None]:
    return Step.WAIT, seconds


def test_nothing_to_do_is_a_wait_without_end() -> None:
    assert Agenda().next(0) == waits(None)


def test_the_first_rendering_never_waits_later_ones_until_changes_rest() -> None:
    agenda = Agenda(debounce=1)
    agenda.change(0)
    assert agenda.next(0) == RENDER
    agenda.begin()
    agenda.change(10)
    assert agenda.next(10) == waits(1)
    agenda.change(10.5)
    assert agenda.next(11) == waits(0.5)
    assert agenda.next(11.5) == RENDER


def test_changes_that_never_rest_are_rendered_after_four_times_that() -> None:
    agenda = Agenda(debounce=1)
    agenda.begin()
    for tenth in range(100):
        agenda.change(tenth / 10)
        if agenda.next(tenth / 10) == RENDER:
            break
    assert tenth == 40


def test_a_batch_is_everything_within_its_time() -> None:
    agenda = Agenda(batch=2)
    agenda.begin()
    agenda.change(0)
    agenda.change(1)
    assert agenda.next(1) == waits(1)
    assert agenda.next(2) == RENDER


def test_a_change_while_rendering_is_not_lost() -> None:
    agenda = Agenda()
    agenda.change(0)
    agenda.begin()
    agenda.change(0)
    assert agenda.next(0) == RENDER


def test_changes_without_end_do_not_hold_up_a_reload() -> None:
    agenda = Agenda()
    agenda.owe(0)
    steps = []
    for tenth in range(25):
        agenda.change(tenth / 10)
        step, _ = agenda.next(tenth / 10)
        steps.append(step)
        if step is Step.RENDER:
            agenda.begin()
            agenda.owe(tenth / 10)
        else:
            agenda.reloaded(tenth / 10)
            agenda.begin()
            agenda.owe(tenth / 10)
    assert steps.count(Step.RELOAD) == 2
    assert steps.index(Step.RELOAD) == 10


def test_a_refused_file_is_tried_again_after_the_pause_or_at_a_change() -> None:
    agenda = Agenda()
    agenda.change(0)
    agenda.begin()
    agenda.render_failed(1, 5)
    assert agenda.next(1) == waits(5)
    assert agenda.next(6) == RENDER
    agenda.change(2)
    assert agenda.next(2) == RENDER


def test_a_change_while_a_file_is_refused_keeps_its_own_time() -> None:
    agenda = Agenda(debounce=1)
    agenda.change(0)
    agenda.begin()
    agenda.change(0.5)
    agenda.render_failed(0.6, 5)
    assert agenda.next(0.6) == waits(5)


def test_a_broken_template_waits_for_a_change() -> None:
    agenda = Agenda()
    agenda.change(0)
    agenda.begin()
    agenda.render_failed(1, None)
    assert agenda.next(100) == waits(None)


def test_an_owed_reload_stays_until_it_succeeds() -> None:
    agenda = Agenda()
    agenda.owe(0)
    assert agenda.next(0) == RELOAD
    agenda.reload_failed(0, 3)
    owed = [agenda.owes_reload]
    assert agenda.next(0) == waits(3)
    assert agenda.next(3) == RELOAD
    agenda.reloaded(3)
    owed.append(agenda.owes_reload)
    assert owed == [True, False]
    assert agenda.next(3) == waits(None)


def test_a_reload_too_early_is_postponed_and_one_does_for_all() -> None:
    agenda = Agenda(min_reload=10)
    agenda.owe(0)
    assert agenda.next(0) == RELOAD
    agenda.reloaded(1)
    agenda.owe(2)
    agenda.owe(5)
    assert agenda.next(5) == waits(6)
    assert agenda.next(11) == RELOAD


def test_a_rendering_comes_before_a_reload() -> None:
    agenda = Agenda()
    agenda.owe(0)
    agenda.change(0)
    assert agenda.next(0) == RENDER
