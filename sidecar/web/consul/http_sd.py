"""``/v1/pinnace/http_sd``: targets for Prometheus's http_sd_configs. Pure but for its handler."""

import re
from collections.abc import Iterable
from typing import Any, Final

from aiohttp import web

from sidecar.catalog.model import Instance
from sidecar.catalog.query import address_of
from sidecar.config.units import Endpoint
from sidecar.web.consul import answers
from sidecar.web.consul.reading import Reading
from sidecar.web.consul.route import route
from sidecar.web.consul.view import View

__all__ = ["routes", "targets"]

_LABEL: Final = re.compile(r"[^a-zA-Z0-9_]", re.ASCII)


def targets(view: View, services: Iterable[str], tags: Iterable[str]) -> list[dict[str, Any]]:
    """Return one group per instance; only those of ``services``, if any, that have all tags."""
    wanted, names = frozenset(tags), frozenset(services)
    snapshot = view.snapshot
    return [
        _group(view, instance)
        for name in sorted(names & snapshot.services.keys() if names else snapshot.services)
        for instance in snapshot.services[name]
        if wanted.issubset(instance.tags)
    ]


def _group(view: View, instance: Instance) -> dict[str, Any]:
    node = view.node_of(instance)
    address = address_of(instance, {node.name: node})
    labels = {
        "__meta_pinnace_service": instance.service,
        "__meta_pinnace_id": instance.id,
        # Commas at both ends, so that one expression matches any tag, as in consul_sd_configs.
        "__meta_pinnace_tags": f",{','.join(instance.tags)}," if instance.tags else "",
        "__meta_pinnace_node": node.name,
        "__meta_pinnace_dc": view.local.datacenter,
        "__meta_pinnace_health": "draining" if instance.draining else instance.status.value,
    }
    for key, value in sorted(instance.meta.items()):
        labels[f"__meta_pinnace_meta_{_LABEL.sub('_', key)}"] = value
    return {"targets": [str(Endpoint(address, instance.port))], "labels": labels}


def routes(reading: Reading) -> list[web.RouteDef]:
    """Return the route."""

    async def listed(request: web.Request) -> web.Response:
        query = request.query
        found = targets(reading.view, query.getall("service", []), query.getall("tag", []))
        return answers.json(request, found)

    return [route("/v1/pinnace/http_sd", store=False, GET=listed)]
