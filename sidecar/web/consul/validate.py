"""What may stand in an entry of the catalogue; Consul itself takes nearly anything. Pure.

Names, tags and meta reach DNS, proxies' configuration and templates. What no honest client sends
(control characters, ports that do not exist, addresses that are none) is refused with the name
of the field; lengths are limited (reliability T14).
"""

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Final

from sidecar.catalog.reach import is_denied, is_disguised
from sidecar.errors import ApiError

__all__ = ["NOT_SERVED", "address", "is_ip", "meta", "name", "port", "service_meta", "tags",
           "text", "weights"]  # fmt: skip

NOT_SERVED: Final = "not served by the embedded catalog; set catalog=consul://…"

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_HOST: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?\.?", re.ASCII)
_META_KEY: Final = re.compile(r"[a-zA-Z0-9_-]+", re.ASCII)
_LABEL: Final = 63
_NAME: Final = 253
_TEXT: Final = 512
_TAGS: Final = 128
_TAG: Final = 255
_PAIRS: Final = 64
_META_KEY_LIMIT: Final = 128
_META_VALUE_LIMIT: Final = 512
_MOST_WEIGHT: Final = 65535
_PORTS: Final = 65536


def text(field: str, value: str, most: int = _TEXT) -> str:
    """Refuse control characters and more than ``most`` characters."""
    if found := _CONTROL.search(value):
        raise ApiError(400, f"Invalid {field}: contains the control character {found[0]!a}")
    if len(value) > most:
        raise ApiError(400, f"Invalid {field}: longer than {most} characters")
    return value


def name(field: str, value: str) -> str:
    """Refuse what could not be a name in DNS or would be a path elsewhere."""
    text(field, value, _NAME)
    if "/" in value or "\\" in value or value in {".", ".."}:
        raise ApiError(400, f"Invalid {field}: must not contain a path")
    if any(len(label) > _LABEL for label in value.split(".")):
        raise ApiError(400, f"Invalid {field}: a label is longer than {_LABEL} characters")
    return value


def port(field: str, value: int) -> int:
    """Refuse what is not from 0 to 65535."""
    if not 0 <= value < _PORTS:
        raise ApiError(400, f"Invalid {field}: {value} is not from 0 to 65535")
    return value


def address(field: str, value: str) -> str:
    """Refuse what is neither an IP address nor a host name."""
    text(field, value)
    if not value:
        return value
    if not is_ip(value) and (is_disguised(value) or not _HOST.fullmatch(value)):
        raise ApiError(400, f"Invalid {field}: neither an IP address nor a host name")
    if is_denied(value):
        raise ApiError(400, f"Invalid {field}: {value} is link-local or not of one host")
    return value


def is_ip(value: str) -> int:
    """Return 4 or 6 for an IP address and 0 for anything else."""
    try:
        return ip_address(value).version if "%" not in value else 0
    except ValueError:
        return 0


def tags(field: str, values: Iterable[str]) -> tuple[str, ...]:
    """Refuse more than 128 tags, or one of more than 255 characters."""
    found = tuple(text(field, value, _TAG) for value in values)
    if len(found) > _TAGS:
        raise ApiError(400, f"Invalid {field}: more than {_TAGS} tags")
    return found


def meta(field: str, pairs: Mapping[str, str]) -> Mapping[str, str]:
    """Refuse what Consul accepts from a node of the catalogue but nobody should write."""
    if len(pairs) > _PAIRS:
        raise ApiError(400, f"Invalid {field}: cannot contain more than {_PAIRS} key/value pairs")
    for key, value in pairs.items():
        text(f"{field} key", key, _META_KEY_LIMIT)
        text(field, value)
    return pairs


def service_meta(pairs: Mapping[str, str]) -> Mapping[str, str]:
    """Check an agent's service meta by Consul's rules and in its words, then by ours."""
    if len(pairs) > _PAIRS:
        raise _bad_meta(f"Node metadata cannot contain more than {_PAIRS} key/value pairs")
    for key, value in pairs.items():
        if reason := _pair_mistake(key, value):
            raise _bad_meta(f"Couldn't load metadata pair ('{key}', '{value}'): {reason}")
    return meta("Service Meta", pairs)


def _pair_mistake(key: str, value: str) -> str:
    if not key:
        return "Key cannot be blank"
    if not _META_KEY.fullmatch(key):
        return "Key contains invalid characters"
    if len(key) > _META_KEY_LIMIT:
        return f"Key is too long (limit: {_META_KEY_LIMIT} characters)"
    if key.startswith("consul-"):
        return "Key prefix 'consul-' is reserved for internal use"
    if len(value.encode()) > _META_VALUE_LIMIT:
        return f"Value is too long (limit: {_META_VALUE_LIMIT} characters)"
    return ""


def _bad_meta(reason: str) -> ApiError:
    return ApiError(400, f"Invalid Service Meta: {reason}")


def weights(passing: int, warning: int) -> tuple[int, int]:
    """Check the weights of an agent's service, in Consul's words."""
    if passing < 1:
        raise ApiError(400, "Invalid Weights: Passing must be greater than 0")
    if warning < 0:
        raise ApiError(400, "Invalid Weights: Warning must be greater or equal than 0")
    if max(passing, warning) > _MOST_WEIGHT:
        raise ApiError(400, "Invalid Weights: DNS Weight must be between 0 and 65535")
    return passing, warning
