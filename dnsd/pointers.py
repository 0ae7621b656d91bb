"""Answers for the names of addresses: what nodes and services are there. Pure."""

from dataclasses import replace

from dnsd import codes, names
from dnsd.authority import Question, absent, node_name
from dnsd.records import Answer, Record
from dnsd.reverse import Reverse
from dnsd.view import View

__all__ = ["pointers"]


def pointers(question: Question, asked: Reverse | None) -> Answer:
    """Answer with the names of an address: of nodes, else of services."""
    if asked is None:
        return absent(question, exists=False)
    view = question.reading.everything
    if asked.is_whole:
        found = _names_at(question, view, asked.packed)
        if found and question.qtype in {codes.PTR, codes.ANY}:
            ttl = question.site.node_ttl
            records = tuple(Record(codes.PTR, ttl, names=(name,)) for name in found)
            return Answer(codes.NOERROR, question.zone, records=records)
        exists = bool(found)
    else:
        exists = view.has_address_from(*asked.bounds)
    if exists or asked.is_local:
        return absent(question, exists=exists)
    return Answer(codes.REFUSED, error=codes.EDE_NOT_AUTHORITATIVE)


def _names_at(question: Question, view: View, packed: bytes) -> list[bytes]:
    zone = question.site.home
    home = replace(question, zone=zone)
    nodes = {node_name(home, names.fold(name)) for name in view.nodes_at.get(packed, ())}
    found = sorted(name for name in nodes if name is not None)
    if found:
        return found
    local = question.site.datacenter, *zone.labels
    services = {names.fold(name) for name in view.services_at.get(packed, ())}
    return [
        names.wire_name((name, b"service", *local))
        for name in sorted(services)
        if 1 <= len(name) <= 63
    ]
