"""Containers that docker-compose made, taken over by a service that says so. Pure.

They are copies of an unknown spec: they hold their slots and serve on until the ordinary rollout
has put one of ours in the place of each.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from sidecar.scheduler.cluster import Cluster, Copy, Goal, Stage
from sidecar.scheduler.labels import is_ours
from sidecar.scheduler.recipe import key_of

__all__ = ["ADOPTED", "with_adopted"]

ADOPTED: Final = ""
"""The spec of a copy that we did not make."""
_PROJECT: Final = "com.docker.compose.project"
_SERVICE: Final = "com.docker.compose.service"
_NUMBER: Final = "com.docker.compose.container-number"
_ONE_OFF: Final = "com.docker.compose.oneoff"


def with_adopted(cluster: Cluster, goals: Iterable[Goal]) -> Cluster:
    """Return the cluster with what its goals take over."""
    wanted = {goal.service for goal in goals if goal.adopts}
    if not wanted:
        return cluster
    copies = dict(cluster.copies)
    for service, copy in _found(cluster):
        if service in wanted:
            copies[service] = (*copies.get(service, ()), copy)
    return replace(cluster, copies=copies)


def _found(cluster: Cluster) -> Iterator[tuple[str, Copy]]:
    for node in cluster.nodes:
        for view in node.containers:
            labels = view.labels
            if is_ours(labels) or not labels.keys() >= {_PROJECT, _SERVICE, _NUMBER}:
                continue
            if labels.get(_ONE_OFF, "False") != "True":
                yield (
                    key_of(labels[_PROJECT], labels[_SERVICE]),
                    Copy(
                        name=view.name,
                        id=view.id,
                        node=node.name,
                        slot=labels[_NUMBER],
                        spec=ADOPTED,
                        incarnation=0,
                        stage=Stage.RUNNING if view.running else Stage.EXITED,
                    ),
                )
