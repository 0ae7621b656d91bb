"""Tags and meta of an instance, made fit for where they go. Pure.

In compat, and only for catalogues of others, both are left as they are.
"""

from typing import Final

from registrar.labels import Attributes, split_tags
from registrar.names import META_LIMIT, TAG_LIMIT, cleaned, cut, meta_key, whole
from registrar.ports import Place
from registrar.problems import Complaints
from sidecar.engine.facts import Container, Port

__all__ = ["meta_of", "tags_of"]

_TAGS: Final = 128
_PAIRS: Final = 64  # as many as Consul takes
_RESERVED_KEYS: Final = ("pinnace-", "consul-")  # ours and Consul's own
_NOT_ATTRIBUTES: Final = frozenset({"name", "tags", "id"})
_UDP: Final = "udp"


def tags_of(
    container: Container, port: Port, attributes: Attributes, place: Place, complain: Complaints
) -> tuple[str, ...]:
    """Return the container's tags, the operator's, then ``udp`` for UDP."""
    label = attributes.label("tags")
    own = split_tags(attributes.get("tags"))
    if place.merge_tags and "tags" in attributes.specific:
        own += split_tags(attributes.plain_tags)
    given = own + split_tags(place.tags) + split_tags(container.extra_tags)
    udp = (_UDP,) if port.protocol == _UDP else ()
    if place.compat and not place.is_ours:
        return given + udp
    if len(given) >= _TAGS:
        complain(label, f"only {_TAGS - 1} of {len(given)} tags kept")
    safe = _safe if place.is_ours else _kept
    tags = tuple(safe(tag, TAG_LIMIT, label, complain) for tag in given[: _TAGS - 1])
    return tuple(tag for tag in tags if tag) + udp


def meta_of(attributes: Attributes, place: Place, complain: Complaints) -> dict[str, str]:
    """Return the attributes that are left; our own catalogue keeps two pairs for itself."""
    left = {key: value for key, value in attributes.values.items() if key not in _NOT_ATTRIBUTES}
    if place.compat and not place.is_ours:
        return left
    most = _PAIRS - 2 if place.is_ours else _PAIRS
    safe = _safe if place.is_ours else _kept
    meta: dict[str, str] = {}
    for given, value in left.items():
        label = attributes.label(given)
        key = meta_key(given)
        if key.startswith(_RESERVED_KEYS):
            complain(label, "ignored: this prefix of meta keys is reserved")
        elif key in meta:
            complain(label, f"ignored: meta key {key!r} was given twice")
        elif len(meta) >= most:
            complain(label, f"ignored: over {most} meta pairs")
        else:
            if key != given:
                complain(label, f"meta key changed to {key[:60]!r}")
            meta[key] = safe(value, META_LIMIT, label, complain)
    return meta


def _kept(text: str, limit: int, label: str, complain: Complaints) -> str:
    """Return a value for the catalogue of others: lines and tabs stay, as with Registrator."""
    short = _short(text, limit, label, complain)
    kept = cut(whole(short), limit)
    if kept != short:
        complain(label, "what is no text replaced")
    return kept


def _short(text: str, limit: int, label: str, complain: Complaints) -> str:
    short = cut(text, limit)
    if len(short) < len(text):
        complain(label, f"value cut to {limit} bytes")
    return short


def _safe(text: str, limit: int, label: str, complain: Complaints) -> str:
    short = _short(text, limit, label, complain)
    clean = cut(cleaned(short), limit)
    if clean != short:
        complain(label, "control characters dropped from the value")
    return clean
