"""Hosts of the list as the scheduler has them."""

from dataclasses import replace
from typing import Any, cast

import pytest

from sidecar.config.model import SchedulerSettings
from sidecar.errors import EngineUnavailable
from sidecar.hosts import Host
from sidecar.runtime.clock import FakeClock
from sidecar.scheduler.nodes.node import NodeSettings
from sidecar.scheduling import Nodes


def _host(**more: Any) -> Host:
    settings = NodeSettings(name="n1", endpoint="unix:///nowhere/n1.sock", **more)
    nobody = cast("Any", None)
    return Host(settings, nobody, nobody, nobody, ())


async def test_what_is_set_of_a_host_reaches_its_link_which_looks_at_once() -> None:
    host = _host()
    nodes = Nodes([host], SchedulerSettings(), FakeClock(), lambda: True)
    link, operations = nodes.links["n1"], nodes.operations("n1")
    link._wanted.clear()
    changed = replace(host, settings=replace(host.settings, labels={"zone": "b"}))
    nodes.change(changed)
    assert nodes.links["n1"] is link
    assert nodes.operations("n1") is operations
    assert link.settings.labels == {"zone": "b"}
    assert link._wanted.is_set()
    await nodes.close()


async def test_a_host_that_left_is_not_to_be_reached_and_may_come_again() -> None:
    nodes = Nodes([_host()], SchedulerSettings(), FakeClock(), lambda: True)
    nodes.leave("n1")
    assert nodes.operations("n1") is None
    with pytest.raises(EngineUnavailable, match="n1 is listed no more"):
        nodes.links["n1"]
    nodes.join(_host(labels={"zone": "c"}))
    assert nodes.links["n1"].settings.labels == {"zone": "c"}
    await nodes.close()
