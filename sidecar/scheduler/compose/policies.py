"""How a service behaves over time, from ``deploy``, ``restart`` and ``x-pinnace``. Pure.

Defaults are SwarmKit's (api/defaults/service.go), but for two: a copy is replaced start-first
where nothing speaks against two at a time, and is watched for as long as its health check may take.
"""

from collections.abc import Iterable
from typing import Final

from sidecar.scheduler.compose.document import Item
from sidecar.scheduler.compose.extras import autoscale_of, canary_of, fencing_of, keeps_of
from sidecar.scheduler.compose.reader import Reader
from sidecar.scheduler.compose.values import ratio, seconds, whole
from sidecar.scheduler.conduct import Conduct, OnFailure, Order, Restart, Update, When
from sidecar.scheduler.fencing import Fencing

__all__ = ["conduct_of"]

_CONFIG: Final = (
    "parallelism", "delay", "failure_action", "monitor", "max_failure_ratio", "order",
)  # fmt: skip
_MONITOR: Final = 5.0
_DEADLINE: Final = 300.0
_INTERVAL: Final = 30.0
_RETRIES: Final = 3
_KEEP: Final = 3600.0
_UNEVEN: Final = frozenset({"binpack", "binpacking", "random"})
_MOVES: Final = {"on-node-failure": True, "off": False}


def conduct_of(
    service: Reader, deploy: Reader, own: Reader, *, is_alone: bool, classic: Iterable[str] = ()
) -> Conduct:
    """Return how a service behaves; ``is_alone``: two copies of a slot exclude each other.

    ``classic`` are classic Swarm's ``reschedule:`` entries.
    """
    fencing = fencing_of(own)
    is_alone = is_alone or fencing is Fencing.SELF
    # Names and a front end are there for every service: either mode is how it is asked for.
    deploy.one_of("endpoint_mode", ("vip", "dnsrr"), "vip")
    rollout = own.below("rollout")
    rollout.only(("healthy_deadline", "min_healthy", "min_ready"))
    back = _update(deploy.below("rollback_config"), rollout, service, is_alone=is_alone)
    moves, after = _reschedule(service, own, classic)
    update = _update(deploy.below("update_config"), rollout, service, is_alone=is_alone)
    orphan = own.below("orphan")
    orphan.only(("keep",))
    if fencing is Fencing.SELF and Order.START_FIRST in {update.order, back.order}:
        text = f"{own.where}.fencing: self allows one copy at a time: start-first does not fit"
        own.problems.error(own.item.place_of("fencing"), text)
    return Conduct(
        restart=_restart(service, deploy),
        update=update,
        rollback=back,
        fencing=fencing,
        keeps=keeps_of(own),
        canary=canary_of(own),
        autoscale=autoscale_of(own),
        min_healthy=rollout.value("min_healthy", seconds, 0.0),
        moves=moves,
        lost_after=after,
        rebalances=_rebalances(own, deploy.below("placement"), moves=moves),
        orphan_keep=orphan.value("keep", seconds, _KEEP),
    )


def _rebalances(own: Reader, placement: Reader, *, moves: bool) -> bool:
    """Return whether copies go to nodes that joined; where nothing would, that is said."""
    if own.one_of("rebalance", ("off", "on-join"), "off") == "off":
        return False
    strategy = own.text("strategy")
    is_uneven = strategy in _UNEVEN and "preferences" not in placement
    why = f"the strategy is {strategy}" if is_uneven else "it is not rescheduled"
    if is_uneven or not moves:
        where = own.item.place_of("rebalance")
        own.problems.warn(where, f"{own.where}.rebalance has no effect: {why}")
    return True


def _restart(service: Reader, deploy: Reader) -> Restart:
    policy = deploy.below("restart_policy")
    policy.only(("condition", "delay", "max_attempts", "window"))
    condition, attempts = service.value("restart", _engine_word, (When.ANY, 0))
    word = policy.one_of("condition", list(When), condition)
    return Restart(
        When(word),
        policy.value("delay", seconds, 5.0),
        policy.value("max_attempts", whole, attempts),
        policy.value("window", seconds, 0.0),
    )


def _engine_word(text: str) -> tuple[When, int]:
    """Return what the engine's own policy means."""
    word, colon, number = text.partition(":")
    if word in {"always", "unless-stopped"} and not colon:
        return When.ANY, 0
    if word == "no" and not colon:
        return When.NONE, 0
    if word == "on-failure":
        return When.ON_FAILURE, whole(number) if colon else 0
    raise ValueError(f"{text!r} is none of no, always, unless-stopped, on-failure[:NUMBER]")


def _update(config: Reader, rollout: Reader, service: Reader, *, is_alone: bool) -> Update:
    config.only(_CONFIG)
    is_back = config.where.endswith("rollback_config")
    actions = [each.value for each in OnFailure if not (is_back and each is OnFailure.ROLLBACK)]
    order = Order.STOP_FIRST if is_alone else Order.START_FIRST
    return Update(
        parallelism=config.value("parallelism", whole, 1),
        delay=config.value("delay", seconds, 0.0),
        monitor=config.value("monitor", seconds, _monitor(service.below("healthcheck"))),
        on_failure=OnFailure(config.one_of("failure_action", actions, OnFailure.PAUSE)),
        max_failure_ratio=config.value("max_failure_ratio", ratio, 0.0),
        order=Order(config.one_of("order", list(Order), order)),
        deadline=rollout.value("healthy_deadline", seconds, _DEADLINE),
        min_ready=rollout.value("min_ready", whole, None),
    )


def _monitor(check: Reader) -> float:
    """Return how long it may take until a health check has failed for good."""
    if "test" not in check and "interval" not in check:
        return _MONITOR
    interval = check.value("interval", seconds, _INTERVAL)
    retries = check.value("retries", whole, _RETRIES)
    return max(_MONITOR, check.value("start_period", seconds, 0.0) + retries * interval)


def _reschedule(service: Reader, own: Reader, classic: Iterable[str]) -> tuple[bool, float | None]:
    """Return whether slots of a lost node are placed elsewhere, and after how many seconds."""
    words = [*classic]
    for word in words:
        if word not in _MOVES:
            text = f"{service.where}: reschedule:{word} is none of {', '.join(_MOVES)}"
            service.problems.error(service.item.place_of("environment"), text)
    default = "off" if _has_state(service) else "on-node-failure"
    policy = words[-1] if words and words[-1] in _MOVES else default
    item = own.get("reschedule")
    if item is None or isinstance(item.value, str):
        return _MOVES[own.one_of("reschedule", _MOVES, policy)], None
    reader = own.below("reschedule")
    reader.only(("policy", "after"))
    word = reader.one_of("policy", _MOVES, policy)
    after = reader.value("after", seconds, -1.0)
    return _MOVES[word], None if after < 0 else after


def _has_state(service: Reader) -> bool:
    """Return whether it keeps something on its host: a named volume, a folder outside /etc."""
    return any(_is_kept(each, service) for each in service.items("volumes"))


def _is_kept(item: Item, service: Reader) -> bool:
    if isinstance(item.value, dict):
        reader = Reader(item, service.where, service.problems)
        kind, source = reader.text("type"), reader.text("source")
        return bool(source) and (kind == "volume" or (kind == "bind" and _is_own(source)))
    source, colon, _ = item.text.partition(":")
    return bool(colon and source) and _is_own(source)


def _is_own(source: str) -> bool:
    return source != "/etc" and not source.startswith("/etc/")
