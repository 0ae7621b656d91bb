"""From what is wanted to goals."""

from dataclasses import replace
from typing import Any

from sidecar.scheduler import labels
from sidecar.scheduler.bundle import Bundle
from sidecar.scheduler.cluster import Cluster, Goal
from sidecar.scheduler.conduct import OnFailure, Order
from sidecar.scheduler.goals import Told, goals_of, recipes_of, recovered, told_of
from sidecar.scheduler.model import ContainerView, NodeView, Port, Resources
from sidecar.scheduler.recipe import Build, Recipe, packed, spec_of
from sidecar.scheduler.wanted import Override, Revision, Stack

WEB = (
    "services: {{web: {{image: 'nginx:{0}', depends_on: {{db: {{required: {1}, condition: "
    "service_started}}}}, deploy: {{replicas: {2}, update_config: {{failure_action: rollback}},"
    " rollback_config: {{parallelism: 2}}}}}}, db: {{image: x}}, each: {{image: y,"
    " deploy: {{mode: global}}}}}}"
)


def _revision(number: int, image: str = "1", needed: str = "true", size: int = 2) -> Revision:
    text = WEB.format(image, needed, size)
    files = {"/s.yaml": text.encode()}
    return Revision(number=number, bundle=Bundle(name="shop", main="/s.yaml", files=files))


def _told(*revisions: Revision, **overrides: Override) -> Told:
    return told_of(Stack(name="shop", revisions=revisions, overrides=overrides))


def _goal(told: Told, name: str = "web", **more: Any) -> Goal:
    found = {each.service: each for each in goals_of(told, more)}
    return found[f"shop/{name}"]


def test_each_service_has_a_goal_in_the_order_of_the_start() -> None:
    told = _told(_revision(1))
    assert [each.service for each in goals_of(told, {})] == ["shop/db", "shop/each", "shop/web"]
    web, everywhere = _goal(told), _goal(told, "each")
    assert (web.size, web.previous, web.is_rollback) == (2, None, False)
    assert [each.service for each in web.needs] == ["shop/db"]
    assert everywhere.is_everywhere
    assert not everywhere.moves
    assert everywhere.size is None
    assert web.update.order is Order.START_FIRST
    (wish,) = _goal(_told(_revision(1, needed="false"))).needs
    assert (wish.service, wish.is_required) == ("shop/db", False)


def test_what_was_said_goes_before_what_the_file_says() -> None:
    said = Override(replicas=9, is_paused=True, attempt=3)
    web = _goal(_told(_revision(1), _revision(2, size=4), web=said))
    assert (web.size, web.is_paused, web.attempt) == (9, True, 3)


def test_a_rollback_goes_to_the_last_revision_with_other_containers() -> None:
    revisions = _revision(1, "1"), _revision(2, "1", size=5), _revision(3, "2")
    told = _told(*revisions)
    web = _goal(told)
    assert web.previous is not None
    assert (web.previous.size, web.previous.spec) == (5, _goal(_told(revisions[0])).spec)
    before = told.before("web")
    assert before is not None
    assert before[0].number == 2
    assert told.before("db") is None
    assert told.before("none") is None
    back = _goal(_told(*revisions, web=Override(pinned=2)))
    assert back.spec == web.previous.spec
    assert back.is_rollback
    assert back.update.parallelism == 2
    assert back.update.on_failure is OnFailure.PAUSE


def test_what_never_came_to_run_is_not_gone_back_to_while_something_else_runs() -> None:
    told = _told(_revision(1, "1"), _revision(2, "2"), _revision(3, "3"))
    one, two = (_goal(_told(_revision(1, image))).spec for image in ("1", "2"))
    for running, number in (({one}, 1), ({two, one}, 2), (set(), 2)):
        before = told.before("web", running)
        assert before is not None
        assert before[0].number == number
    goals = {each.service: each for each in goals_of(told, {}, {"shop/web": {one}})}
    previous = goals["shop/web"].previous
    assert previous is not None
    assert previous.spec == one


def test_what_containers_came_after_is_gone_back_to_before_what_never_came_to_that() -> None:
    told = _told(_revision(1, "1"), _revision(2, "none"), _revision(3, "3"))
    one, three = (_goal(_told(_revision(1, image))).spec for image in ("1", "3"))
    before = told.before("web", {three}, one)
    assert before is not None
    assert before[0].number == 1
    recipe = _told(_revision(1, "1")).newest.services[-1].recipe
    goals = goals_of(told, {"shop/web": recipe}, {"shop/web": {three}})
    (web,) = [each for each in goals if each.service == "shop/web"]
    assert web.previous is not None
    assert web.previous.spec == one


AFTER = (
    "services: {{db: {{image: 'db:{0}'}}, web: {{image: 'web:{1}', depends_on: {{db: {{restart:"
    " true, condition: service_started}}}}}}, end: {{image: end, depends_on: {{web: {{restart:"
    " true, condition: service_started}}}}}}}}"
)


def _after(number: int, *images: str) -> Revision:
    files = {"/s.yaml": AFTER.format(*images).encode()}
    return Revision(number=number, bundle=Bundle(name="shop", main="/s.yaml", files=files))


def test_what_is_to_change_with_another_follows_it_back_too() -> None:
    first, second = _after(1, "1", "1"), _after(2, "2", "1")
    before = {each.service: each.spec for each in goals_of(_told(first), {})}
    running = {each.service: {each.spec} for each in goals_of(_told(first, second), {})}
    back = _told(first, second, db=Override(pinned=1))
    goals = {each.service: each for each in goals_of(back, {}, running)}
    assert {name: each.spec for name, each in goals.items()} == before
    previous = goals["shop/web"].previous
    assert previous is not None
    assert {previous.spec} == running["shop/web"]
    found = recipes_of(back, goals.values())
    assert found.keys() == {before["shop/web"], before["shop/end"]}
    assert all(spec == spec_of(recipe) for spec, recipe in found.items())
    settled = goals_of(back, {}, {name: {spec} for name, spec in before.items()})
    assert {each.service: each.previous for each in settled}["shop/web"] is None
    assert recipes_of(_told(first, second), goals_of(_told(first, second), {})) == {}


def test_a_label_says_what_was_before_when_no_revision_does() -> None:
    recipe = Recipe(build=Build(image="nginx:0"))
    told = _told(_revision(1))
    found = {each.service: each for each in goals_of(told, {"shop/web": recipe})}["shop/web"]
    assert found.previous is not None
    assert found.previous.spec == spec_of(recipe)
    back = _told(_revision(1), web=Override(pinned=-1))
    goal = {each.service: each for each in goals_of(back, {"shop/web": recipe})}["shop/web"]
    assert (goal.spec, goal.is_rollback) == (spec_of(recipe), True)
    same = _told(_revision(1)).newest.services[-1].recipe
    assert {g.service: g for g in goals_of(told, {"shop/web": same})}["shop/web"].previous is None


def test_that_a_rollout_stopped_is_about_its_spec() -> None:
    spec = _goal(_told(_revision(1))).spec
    assert _goal(_told(_revision(1), web=Override(stopped=spec))).is_stopped
    assert not _goal(_told(_revision(1, "2"), web=Override(stopped=spec))).is_stopped


def test_what_was_read_is_not_read_again() -> None:
    one = _told(_revision(1))
    both = told_of(replace(one.stack, revisions=(_revision(1), _revision(2, "2"))), one)
    assert both.specs[1] is one.specs[1]
    assert both.specs[2] is not one.specs[1]


def test_a_stack_that_was_taken_down_wants_nothing() -> None:
    told = _told(_revision(1), Revision(number=2))
    assert goals_of(told, {}) == []
    assert not told.is_up


def _view(slot: str, recipe: Recipe, incarnation: int = 1, **more: Any) -> ContainerView:
    marks = {
        labels.STACK: "old", labels.SERVICE: "web", labels.SLOT: slot,
        labels.SPEC: spec_of(recipe), labels.INCARNATION: str(incarnation),
        labels.RECIPE: packed(recipe), labels.REV: str(incarnation),
    }  # fmt: skip
    return ContainerView(
        name=f"old_web_{slot}", labels=marks, stack="old", service="web", slot=slot, **more
    )


def test_stacks_that_only_labels_tell_of_stay_as_they_are() -> None:
    first, second = Recipe(build=Build(image="a")), Recipe(build=Build(image="b"))
    held = (
        _view("1", first), _view("2", second, 2, resources=Resources(5, 6), ports=(Port(80),)),
        ContainerView(name="foreign", labels={labels.STACK: "old"}, stack="old"),
    )  # fmt: skip
    cluster = Cluster((NodeView(name="n1", containers=held),), {})
    (goal,), recipes = recovered(cluster, ())
    assert (goal.service, goal.spec) == ("old/web", spec_of(second))
    assert goal.slots.keys() == {"1", "2"}
    assert goal.slots["1"].resources == Resources(5, 6)
    assert recipes == {spec_of(second): second}
    assert recovered(cluster, ["old"]) == ([], {})
    lost = replace(held[1], labels={**held[1].labels, labels.RECIPE: "x"})
    (goal,), recipes = recovered(Cluster((NodeView(name="n1", containers=(lost,)),), {}), ())
    assert (goal.moves, recipes) == (False, {})
