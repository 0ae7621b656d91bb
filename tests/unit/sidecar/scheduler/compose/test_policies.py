"""Restart, rollout and rescheduling as a stack file says."""

import pytest

from sidecar.scheduler.compose.document import Problems
from sidecar.scheduler.compose.stack import stack_of
from sidecar.scheduler.conduct import Conduct, OnFailure, Order, Restart, Update, When


def _conduct(text: str, problems: Problems | None = None) -> Conduct:
    found = problems or Problems()
    stack = stack_of(f"services: {{web: {{image: x, {text}}}}}", "s.yaml", found)
    if problems is None:
        assert not found.errors
    return stack.services[0].conduct


def test_without_a_word_it_is_restarted_always_and_rolled_out_one_by_one() -> None:
    assert _conduct("") == Conduct(
        restart=Restart(When.ANY, 5.0),
        update=Update(1, 0.0, 5.0, order=Order.START_FIRST),
        rollback=Update(1, 0.0, 5.0, order=Order.START_FIRST),
    )


def test_everything_of_deploy_is_read() -> None:
    found = _conduct(
        "deploy: {restart_policy: {condition: on-failure, delay: 1s, max_attempts: 3, window: 2m},"
        " update_config: {parallelism: 2, delay: 10s, failure_action: rollback, monitor: 1m,"
        " max_failure_ratio: 0.5, order: stop-first},"
        " rollback_config: {parallelism: 0, failure_action: continue}},"
        " x-pinnace: {rollout: {healthy_deadline: 9s, min_healthy: 2s, min_ready: 1}}"
    )
    assert found.restart == Restart(When.ON_FAILURE, 1.0, 3, 120.0)
    assert found.update == Update(
        2, 10.0, 60.0, OnFailure.ROLLBACK, 0.5, Order.STOP_FIRST, deadline=9.0, min_ready=1
    )
    assert found.rollback.parallelism == 0
    assert found.rollback.on_failure is OnFailure.CONTINUE
    assert found.min_healthy == 2.0


def test_copies_go_to_nodes_that_joined_where_that_is_asked_for() -> None:
    assert not _conduct("").rebalances
    found = _conduct("x-pinnace: {rebalance: on-join, orphan: {keep: 5m}}")
    assert (found.rebalances, found.orphan_keep) == (True, 300.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("strategy: binpack", "rebalance has no effect: the strategy is binpack"),
        ("reschedule: 'off'", "rebalance has no effect: it is not rescheduled"),
    ],
)
def test_where_nothing_would_move_that_is_said(text: str, says: str) -> None:
    problems = Problems()
    _conduct(f"x-pinnace: {{rebalance: on-join, {text}}}", problems)
    (told,) = problems
    assert says in str(told)
    assert not told.is_error


@pytest.mark.parametrize(
    ("word", "restart"),
    [
        ("'no'", Restart(When.NONE)), ("always", Restart()), ("unless-stopped", Restart()),
        ("on-failure", Restart(When.ON_FAILURE)),
        ("'on-failure:4'", Restart(When.ON_FAILURE, max_attempts=4)),
    ],
)  # fmt: skip
def test_the_engines_word_is_understood_where_deploy_says_nothing(
    word: str, restart: Restart
) -> None:
    assert _conduct(f"restart: {word}").restart == restart
    both = f"restart: {word}, deploy: {{restart_policy: {{condition: any, max_attempts: 0}}}}"
    assert _conduct(both).restart == Restart()


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("ports: ['80']", Order.START_FIRST), ("ports: ['80:80']", Order.STOP_FIRST),
        ("network_mode: host", Order.STOP_FIRST), ("volumes: ['data:/data']", Order.STOP_FIRST),
        ("networks: {a: {ipv4_address: 192.0.2.1}}", Order.STOP_FIRST),
        ("networks: [a]", Order.START_FIRST), ("container_name: c", Order.STOP_FIRST),
    ],
)  # fmt: skip
def test_the_new_copy_comes_first_unless_two_exclude_each_other(text: str, order: Order) -> None:
    assert _conduct(text).update.order is order


def test_a_health_check_is_given_its_time() -> None:
    check = "healthcheck: {test: [CMD, x], interval: 10s, retries: 4, start_period: 1m}"
    assert _conduct(check).update.monitor == 100.0
    assert _conduct("healthcheck: {test: [CMD, x]}").update.monitor == 90.0


@pytest.mark.parametrize(
    ("text", "moves", "after"),
    [
        ("ports: []", True, None), ("volumes: ['data:/data']", False, None),
        ("volumes: ['/srv:/srv']", False, None), ("volumes: ['/etc/x:/x', /cache]", True, None),
        ("volumes: [{type: volume, source: d, target: /d}]", False, None),
        ("volumes: [{type: bind, source: /etc/hosts, target: /d}]", True, None),
        ("volumes: [{type: tmpfs, target: /d}]", True, None),
        ("volumes: ['d:/d'], x-pinnace: {reschedule: on-node-failure}", True, None),
        ("x-pinnace: {reschedule: {policy: off, after: 1m}}", False, 60.0),
        ("environment: ['reschedule:off']", False, None),
        ("environment: {'reschedule:on-node-failure': }, volumes: ['d:/d']", True, None),
    ],
)  # fmt: skip
def test_what_keeps_nothing_on_its_host_moves(text: str, moves: bool, after: float | None) -> None:
    found = _conduct(text)
    assert (found.moves, found.lost_after) == (moves, after)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("restart: sometimes", "'sometimes' is none of no, always"),
        ("restart: 'on-failure:x'", "'x' is no whole number"),
        ("deploy: {update_config: {max_failure_ratio: 2}}", "no share from 0 to 1"),
        ("deploy: {update_config: {max_failure_ratio: x}}", "no share from 0 to 1"),
        ("deploy: {update_config: {pace: 1}}", "unknown key 'pace'"),
        ("deploy: {rollback_config: {failure_action: rollback}}", "'rollback' is none of"),
        ("environment: ['reschedule:maybe']", "reschedule:maybe is none of"),
        ("x-pinnace: {reschedule: {policy: sometimes}}", "'sometimes' is none of"),
    ],
)
def test_mistakes_are_told(text: str, says: str) -> None:
    problems = Problems()
    _conduct(text, problems)
    assert any(says in each.text for each in problems.errors)
