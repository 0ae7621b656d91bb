"""What two sides can have in common of an answer: everything but ids, indexes, ports, names. Pure.

* A UUID becomes ``<uuid N>``, numbered by first appearance, so equality between answers stays.
* Indexes differ between any two servers, their order does not: inside one answer each index
  (header, CreateIndex, ModifyIndex) becomes its rank, equal ones share it. Between answers, the
  header's index tells whether it moved since the same query was asked before, or fell.
* The node's own name, its catalogue index (start-up is a race) and loopback ports are masked.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from tests.compat.consul.recording import Exchange, Recording
from tests.compat.consul.steps import Step

__all__ = ["Normal", "normalised"]

_UUID: Final = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_PORT: Final = re.compile(r"(127\.0\.0\.1:)\d{2,5}\b")
_CURRENT: Final = re.compile(r"(current modify index )\d+")
_INDEXES: Final = ("CreateIndex", "ModifyIndex")
_INDEX: Final = "X-Consul-Index"
_PER_CALL: Final = {"index", "wait", "token", "pretty"}
_SELF: Final = {
    "Config": ("Datacenter", "NodeName", "Server", "Version"),
    "Member": ("Name", "Addr", "Status"),
}
_PRESENT_ONLY: Final = ("/v1/coordinate/", "/v1/agent/metrics")


@dataclass(frozen=True, slots=True)
class Normal:
    """An answer without what is a side's own; ``fields`` is what gets compared."""

    step: Step
    fields: dict[str, Any]


def normalised(recording: Recording) -> list[Normal]:
    """Return every answer of a recording in comparable form."""
    side = _Side(recording.node)
    return [side.normal(exchange) for exchange in recording.exchanges]


@dataclass(slots=True)
class _Side:
    node: str
    uuids: dict[str, str] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)

    def normal(self, exchange: Exchange) -> Normal:
        step, answer = exchange.step, exchange.answer
        headers, body = dict(answer.headers), answer.body
        fields: dict[str, Any] = {"status": answer.status, "settled": exchange.settled}
        index = headers.get(_INDEX)
        unstable = "cached" in step.path or "/event/" in step.path
        if index is not None:
            headers[_INDEX] = "positive" if index.isdecimal() and int(index) else index
            if not unstable:
                fields["index"] = self._movement(step, int(index))
        if "X-Consul-Contenthash" in headers:
            headers["X-Consul-Contenthash"] = self._hash_movement(step, headers)
        if "Age" in headers:
            headers["Age"] = "present"
        if step.path.startswith("/v1/agent/health/service/name/") and answer.status == 503:
            # the peer's choice among several instances is random
            headers["X-Consul-Reason"] = _either(headers.get("X-Consul-Reason", ""))
            body = _either(body.decode("latin-1")).encode() if "format=text" in step.path else body
        fields["header"] = {name: self._text(value) for name, value in headers.items()}
        ranked_index = int(index) if index is not None and not unstable else None
        fields |= self._body(step, body, headers.get("Content-Type", ""), ranked_index)
        return Normal(step, fields)

    def _movement(self, step: Step, index: int) -> str:
        key = _query_key(step)
        before, self.last[key] = self.last.get(key), index
        if before is None:
            return "first"
        return "same" if index == before else "moved" if index > before else "fell"

    def _hash_movement(self, step: Step, headers: dict[str, str]) -> str:
        value = headers["X-Consul-Contenthash"]
        before, self.hashes[step.path] = self.hashes.get(step.path), value
        # the peer drops zeros in front
        shape = "16 hex" if re.fullmatch(r"[0-9a-f]{12,16}", value) else value
        return f"{shape}, {'first' if before is None else 'same' if before == value else 'moved'}"

    def _body(self, step: Step, body: bytes, kind: str, index: int | None) -> dict[str, Any]:
        if step.path.startswith(_PRESENT_ONLY):
            return {"body": "present" if body else "empty"}
        if not kind.startswith("application/json"):
            return {"text": self._text(body.decode("latin-1"))}
        try:
            value = json.loads(body)
        except ValueError:
            return {"text": self._text(body.decode("latin-1"))}  # not what its type promises
        self._mask_own(value)
        ranks = _ranks(value, index)
        value = self._value(_arranged(step, value), ranks)
        rank = {} if index is None else {"index_rank": f"{ranks[index]} of {len(ranks)}"}
        return {"body": value, **rank}

    def _mask_own(self, value: Any) -> None:
        """Take out, in place, what the race of a server's start decides."""
        match value:
            case list():
                for each in value:
                    self._mask_own(each)
            case dict():
                consul = "consul" in (value.get("Service"), value.get("ServiceName"))
                if consul:
                    value |= {key: "<port>" for key in ("Port", "ServicePort") if key in value}
                is_node = value.get("Node") == self.node and "TaggedAddresses" in value
                # an instance in the catalogue's flat shape has an index of its own
                is_flat = "ServiceID" in value and not value.get("CheckID")
                if consul or ((is_node or value.get("CheckID") == "serfHealth") and not is_flat):
                    value |= {key: "<own>" for key in _INDEXES if key in value}
                if "ContentHash" in value:
                    value["ContentHash"] = "<hash>"
                for each in value.values():
                    self._mask_own(each)

    def _value(self, value: Any, ranks: dict[int, int]) -> Any:
        match value:
            case str():
                return self._text(value)
            case list():
                return [self._value(each, ranks) for each in value]
            case dict():
                return {
                    self._text(key): f"rank {ranks[each]}"
                    if key in _INDEXES and isinstance(each, int) and each in ranks
                    else self._value(each, ranks)
                    for key, each in value.items()
                }
            case _:
                return value

    def _text(self, text: str) -> str:
        text = _CURRENT.sub(r"\1<index>", text)
        text = _UUID.sub(lambda found: self._symbol(found[0]), text)
        return _PORT.sub(r"\1<port>", text).replace(self.node, "<node>")

    def _symbol(self, uuid: str) -> str:
        return self.uuids.setdefault(uuid, f"<uuid {len(self.uuids)}>")


def _query_key(step: Step) -> str:
    parts = urlsplit(step.path)
    query = [pair for pair in parse_qsl(parts.query, True) if pair[0] not in _PER_CALL]
    return f"{parts.path}?{sorted(query)}"


def _ranks(value: Any, index: int | None) -> dict[int, int]:
    """Return each index of an answer with its place among them; 0 stays apart, it means none."""
    found: set[int] = set() if index is None else {index}

    def collect(part: Any) -> None:
        match part:
            case list():
                for each in part:
                    collect(each)
            case dict():
                for key, each in part.items():
                    if key in _INDEXES and isinstance(each, int) and each:
                        found.add(each)
                    else:
                        collect(each)

    collect(value)
    return {number: rank for rank, number in enumerate(sorted(found))}


def _arranged(step: Step, value: Any) -> Any:
    """Choose what is compared, and sort what the peer gives in random order."""
    path = step.path.partition("?")[0]
    if path == "/v1/agent/self" and isinstance(value, dict):
        return {part: {k: value[part].get(k) for k in keys} for part, keys in _SELF.items()}
    if path == "/v1/agent/members" and isinstance(value, list):
        return [{key: member.get(key) for key in _SELF["Member"]} for member in value]
    if path == "/v1/catalog/services" and isinstance(value, dict):
        return {name: sorted(tags) for name, tags in value.items()}
    if path.startswith("/v1/agent/health/service/") and isinstance(value, list):
        entries = [_arranged(step, entry) for entry in value]
        return sorted(entries, key=lambda entry: str(entry["Service"]["ID"]))
    if path.startswith("/v1/agent/health/service/") and isinstance(value, dict):
        checks = value.get("Checks")
        return value | ({"Checks": sorted(checks, key=_check_id)} if checks else {})
    if path.startswith("/v1/session/") and isinstance(value, list):
        return sorted(value, key=lambda entry: int(entry["CreateIndex"]))  # the peer: by UUID
    return value


def _check_id(check: dict[str, Any]) -> str:
    return str(check["CheckID"])


def _either(word: str) -> str:
    return "critical or maintenance" if word in {"critical", "maintenance"} else word
