"""The page of the scheduler: nodes, services, rollouts, decisions; plain HTML from documents. Pure.

Every value is escaped: names come from files and labels. It reloads itself and has no script.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from sidecar.scheduler.convergence import trial_words
from sidecar.web.page import STYLE

__all__ = ["page"]

_MIB = 2**20


def page(
    stacks: Mapping[str, Any], nodes: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]
) -> str:
    """Return the whole page of what ``/v1/stacks``, ``/v1/nodes`` and ``/v1/events`` say."""
    state = stacks["scheduler"]
    role = "leads" if state["leads"] else "stands by: another one leads"
    alarms = "".join(f'<p class="critical">{escape(each)}</p>' for each in state["alarms"])
    services = [(stack, each) for stack in stacks["stacks"] for each in stack["services"]]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="refresh" content="2"><title>Pinnace: stacks</title>'
        f"<style>{STYLE}</style></head><body><h1>Stacks</h1>"
        f"<p>This scheduler {role}.</p>{alarms}"
        + _table(
            ("node", "state", "use", "CPUs", "memory, MiB", "containers"),
            map(_node, nodes["nodes"]),
        )
        + _table(
            ("stack", "service", "rollout", "ready", "containers", "why"),
            (_service(stack, each) for stack, each in services),
        )
        + "<h2>Decisions</h2>"
        + _table(("number", "what", "about"), map(_entry, reversed(entries[-100:])))
        + '<p>More: <a href="/v1/stacks">stacks</a>, <a href="/v1/nodes">nodes</a>,'
        ' <a href="/metrics">metrics</a></p></body></html>'
    )


def _table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    titles = "".join(f"<th>{head}</th>" for head in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{titles}</tr>{body}</table>"


def _node(node: Mapping[str, Any]) -> Iterable[object]:
    used, has = node["used"], node["capacity"]
    return (
        node["name"],
        node["state"],
        node["availability"],
        f"{used['cpus']:g} of {has['cpus']:g}",
        f"{used['memory'] // _MIB} of {has['memory'] // _MIB}",
        f"{node['containers']['running']} of {node['containers']['all']} run",
    )


def _service(stack: Mapping[str, Any], service: Mapping[str, Any]) -> Iterable[object]:
    rollout, replicas = service["rollout"], service["replicas"]
    phase, trial = trial_words(service) or rollout["phase"], service["trial"] or {}
    where = ", ".join(
        f"{each['slot']} on {each['node']} {each['state']}" for each in service["containers"]
    )
    reasons = "; ".join(
        f"slot {each['slot']}: {', '.join(each['reasons'])}" for each in service["refusals"]
    )
    errors = (f"slot {each['slot']}: {each['reason']}" for each in service["errors"])
    return (
        stack["name"],
        service["service"],
        f"{phase} ({replicas['current']} of {replicas['wanted']} are {rollout['spec']})",
        f"{replicas['ready']} of {replicas['wanted']}",
        where,
        "; ".join(filter(None, (rollout["why"], trial.get("why"), reasons, *errors))),
    )


def _entry(entry: Mapping[str, Any]) -> Iterable[object]:
    about = ", ".join(
        f"{key} {value}" for key, value in entry.items() if key not in {"number", "at", "kind"}
    )
    return entry["number"], entry["kind"], about
