"""YAML as confd reads it (so JSON too), and its values as keys. Pure.

What plain text means is as measured on confd, not as PyYAML has it: dates and ``1:30`` are text,
``0644`` and ``0o644`` are octal, ``08`` is 8, what 64 bits cannot hold is a float. A key is its
text whatever it looks like; confd panics at ``yes:`` or ``1:``.
"""

import re
from collections.abc import Iterator
from typing import Final

import yaml

from sidecar.errors import ProtocolError
from templater.backends.base import text_of
from templater.backends.flatten import flattened

__all__ = ["values_of"]

_MOST_BYTES: Final = 64 << 20
_INT: Final = re.compile(r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$")
_TRUE: Final = frozenset({"true", "yes", "on", "y"})
_BOOL: Final = re.compile(
    r"(?:y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF|true|True|TRUE|false|False|FALSE)$"
)
_RULES: Final = (
    ("bool", _BOOL, "tTfFyYnNoO"),
    ("null", re.compile(r"(?:~|null|Null|NULL|)$"), "~nN\0"),
    ("int", _INT, "-+0123456789"),
    ("float", re.compile(rf"(?:{_FLOAT.pattern[:-1]}|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"),
     "-+0123456789."),
    ("merge", re.compile(r"<<$"), "<"),
)  # fmt: skip


class _Loader(yaml.SafeLoader):
    """Builds plain values by the rules above."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _tag, _pattern, _first in _RULES:
    for _char in _first:
        _Loader.yaml_implicit_resolvers.setdefault("" if _char == "\0" else _char, []).append(
            (f"tag:yaml.org,2002:{_tag}", _pattern)
        )


def _int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float | str:
    text = str(loader.construct_scalar(node))
    plain = text.replace("_", "")
    digits = plain.lstrip("+-")
    is_octal = digits[:1] == "0" and digits.isdigit() and len(digits) > 1
    try:
        number = int(plain, 8 if is_octal else 0)
        return number if abs(number) < 1 << 64 else float(number)
    except ValueError:
        return float(plain) if digits.isdigit() else text


def _bool(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> bool:
    return str(loader.construct_scalar(node)).lower() in _TRUE


def _binary(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return text_of(loader.construct_yaml_binary(node))


def _text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> Iterator[dict[object, object]]:
    """Build a mapping whose plain keys are their text."""
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            key.tag = "tag:yaml.org,2002:str"
    built: dict[object, object] = {}
    yield built
    built.update(loader.construct_mapping(node))


_Loader.add_constructor("tag:yaml.org,2002:int", _int)
_Loader.add_constructor("tag:yaml.org,2002:bool", _bool)
_Loader.add_constructor("tag:yaml.org,2002:binary", _binary)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _text)


def values_of(content: bytes, name: str) -> dict[str, str]:
    """Return the keys of one document; ``name`` is for messages. Raises ProtocolError."""
    if len(content) > _MOST_BYTES:
        raise ProtocolError(f"{name} is larger than {_MOST_BYTES} bytes")
    try:
        value = yaml.load(content, Loader=_Loader)  # noqa: S506  (a SafeLoader with other rules)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ProtocolError(f"{name}: {' '.join(str(error).split())}") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ProtocolError(f"{name}: the top must be a mapping, not {type(value).__name__}")
    return flattened(value)
