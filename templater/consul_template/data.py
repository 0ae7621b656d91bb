"""The functions that ask the catalogue, and the record of what they asked. Pure.

A question whose answer is not known yet gives an empty value and is noted as missing; what such an
execution puts out is thrown away.
"""

from collections.abc import Callable, Mapping
from typing import Final, NoReturn

from sidecar.errors import RenderError
from sidecar.gotemplate.values import Slice
from templater.consul_template import queries
from templater.consul_template.certificates import ROOTS, CaLeafQuery, CaRootsQuery
from templater.consul_template.queries import Query
from templater.consul_template.records import (
    NODES,
    PAIRS,
    SERVICES,
    SNIPPETS,
    STRINGS,
    Pair,
)

__all__ = ["UNKNOWN", "Functions", "Knowledge", "NotOffered", "Reading", "data_functions"]

Functions = Mapping[str, Callable[..., object]]
Knowledge = Mapping[Query, object]
"""The newest answers; a question that is not there has none yet."""

UNKNOWN: Final = object()
_ELSEWHERE: Final = {
    **dict.fromkeys(
        (
            "nomadService", "nomadServices", "nomadVar", "nomadVarExists", "nomadVarList",
            "nomadVarListSafe",
        ),
        "there is no Nomad here",
    ),
    **dict.fromkeys(
        ("exportedServices", "importedServices", "partitions", "peerings"),
        "admin partitions and peerings are not supported",
    ),
}  # fmt: skip


class NotOffered(RenderError):
    """A function that is left out on purpose; another try cannot help."""


class Reading:
    """What one execution asks, in order."""

    def __init__(self, knowledge: Knowledge) -> None:
        """Answer from what is known."""
        self._knowledge = knowledge
        self.used: dict[Query, None] = {}
        self.missing: dict[Query, None] = {}

    def begin(self) -> None:
        """Forget what was asked."""
        self.used = {}
        self.missing = {}

    def ask(self, query: Query) -> object:
        """Return the answer, or UNKNOWN, which is noted as missing."""
        self.used[query] = None
        found = self._knowledge.get(query, UNKNOWN)
        if found is UNKNOWN:
            self.missing[query] = None
        return found

    def refuse(self, query: Query) -> None:
        """Note an answer that is known as one to wait on."""
        self.missing[query] = None


def data_functions(
    reading: Reading, check_path: Callable[[str], None], destination: str = ""
) -> Functions:
    """Return the functions; ``check_path`` raises for a file that may not be read.

    ``destination`` is the template's file, where a certificate is kept.
    """
    return {
        **_keys(reading),
        **_trees(reading),
        **_catalog(reading),
        **_others(reading, check_path),
        **_certificates(reading, destination),
        **{name: _refused(name, why) for name, why in _ELSEWHERE.items()},
    }


def _refused(name: str, why: str) -> Callable[..., object]:
    def refuse(*_: object) -> NoReturn:
        raise NotOffered(f"{name}: {why}; remove the call from the template")

    return refuse


def _keys(reading: Reading) -> Functions:
    def key(path: str) -> str:
        if not path:
            return ""
        value = reading.ask(queries.key(path, blocks=True))
        return value if isinstance(value, str) else ""

    def key_exists(path: str) -> bool:
        if not path:
            return False
        value = reading.ask(queries.key(path))
        return value is not UNKNOWN and value is not None

    def key_or_default(path: str, default: str) -> str:
        if not path:
            return default
        value = reading.ask(queries.key(path))
        return value if isinstance(value, str) and value else default

    return {"key": key, "keyExists": key_exists, "keyOrDefault": key_or_default}


def _trees(reading: Reading) -> Functions:
    def listed(path: str, is_leaf: Callable[[str], bool], *, is_safe: bool) -> Slice:
        if not path:
            return Slice((), PAIRS)
        query = queries.listing(path)
        value = reading.ask(query)
        pairs = value if isinstance(value, Slice) else ()
        found = [pair for pair in pairs if isinstance(pair, Pair) and is_leaf(pair.key)]
        if is_safe and not found:
            reading.refuse(query)
        return Slice(found, PAIRS)

    def is_child(key: str) -> bool:
        return bool(key) and "/" not in key

    def is_value(key: str) -> bool:
        return bool(key) and key[-1] != "/"

    def ls(path: str) -> Slice:
        return listed(path, is_child, is_safe=False)

    def safe_ls(path: str) -> Slice:
        return listed(path, is_child, is_safe=True)

    def tree(path: str) -> Slice:
        return listed(path, is_value, is_safe=False)

    def safe_tree(path: str) -> Slice:
        return listed(path, is_value, is_safe=True)

    return {"ls": ls, "safeLs": safe_ls, "tree": tree, "safeTree": safe_tree}


def _catalog(reading: Reading) -> Functions:
    def service(*words: str) -> object:
        return instances(words, is_connect=False)

    def connect(*words: str) -> object:
        return instances(words, is_connect=True)

    def instances(words: tuple[str, ...], *, is_connect: bool) -> object:
        if not words or not words[0]:
            return Slice((), SERVICES)
        value = reading.ask(queries.health("|".join(words), is_connect=is_connect))
        return Slice((), SERVICES) if value is UNKNOWN else value

    def services(*words: str) -> object:
        value = reading.ask(queries.services("".join(words)))
        return Slice((), SNIPPETS) if value is UNKNOWN else value

    def nodes(*words: str) -> object:
        value = reading.ask(queries.nodes("".join(words)))
        return Slice((), NODES) if value is UNKNOWN else value

    def node(*words: str) -> object:
        value = reading.ask(queries.node("".join(words)))
        return None if value is UNKNOWN else value

    def datacenters(*ignores_failing: bool) -> object:
        value = reading.ask(queries.datacenters(*ignores_failing))
        return Slice((), STRINGS) if value is UNKNOWN else value

    return {
        "connect": connect,
        "datacenters": datacenters,
        "node": node,
        "nodes": nodes,
        "service": service,
        "services": services,
    }


def _others(reading: Reading, check_path: Callable[[str], None]) -> Functions:
    def file(path: str) -> str:
        if not path:
            return ""
        check_path(path)
        value = reading.ask(queries.file(path))
        return value if isinstance(value, str) else ""

    def secret(*words: str) -> object:
        if not words:
            return None
        value = reading.ask(queries.secret(*words))
        return None if value is UNKNOWN else value

    def secrets(path: str) -> object:
        if not path:
            return Slice((), STRINGS)
        value = reading.ask(queries.secrets(path))
        return Slice((), STRINGS) if value is UNKNOWN else value

    return {"file": file, "secret": secret, "secrets": secrets}


def _certificates(reading: Reading, destination: str) -> Functions:
    def ca_roots() -> object:
        value = reading.ask(CaRootsQuery())
        return Slice((), ROOTS) if value is UNKNOWN else value

    def ca_leaf(service: str) -> object:
        if not service:
            return None
        value = reading.ask(CaLeafQuery(service))
        return None if value is UNKNOWN else value

    def pki_cert(*words: str) -> object:
        if not words:
            return None
        value = reading.ask(queries.pki_cert(*words, destination=destination))
        return None if value is UNKNOWN else value

    return {"caLeaf": ca_leaf, "caRoots": ca_roots, "pkiCert": pki_cert}
