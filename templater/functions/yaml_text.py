"""Values to YAML and back as Go's yaml.v2 has them. Pure.

YAML 1.1 as there: ``yes`` and ``on`` are true, ``0644`` is octal, dates stay text. Writing puts
text in double quotes when it would be read as something else, lists are not indented, and keys are
sorted with their numbers as numbers.
"""

import re
from collections.abc import Mapping
from typing import Final

import yaml

from sidecar.gotemplate.kinds import ANY, map_of
from sidecar.gotemplate.values import Map
from templater.functions.plain import Unsupported, float_text, plain

__all__ = ["read_yaml", "write_yaml"]

_ANY_MAP: Final = map_of(ANY, ANY)
_LONGEST: Final = 16 << 20
_BOOL: Final = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_INT: Final = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0b[01]+|0o[0-7]+|0[0-7]*|[1-9][0-9]*)$")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$")
_SPECIAL: Final = {
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_DATE: Final = re.compile(r"\d{4}-\d{1,2}-\d{1,2}(?:[Tt ].*)?$", re.ASCII)
_BASE_60: Final = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$", re.ASCII)
_PIECE: Final = re.compile(r"(\d+)|([^\W\d_]+)|(.)", re.ASCII | re.DOTALL)


def _plain_scalar(text: str) -> object:
    """Return what unquoted text means."""
    if text in _BOOL:
        return _BOOL[text]
    if text in _NULL:
        return None
    if text in _SPECIAL:
        return _SPECIAL[text]
    digits = text.replace("_", "")
    if _INT.match(digits):
        body = digits.lstrip("+-")
        octal = len(body) > 1 and body[0] == "0" and body.isdigit()
        number = int(digits, 8 if octal else 0)
        return number if abs(number) < 1 << 64 else float(number)
    return float(digits) if _FLOAT.match(digits) else text


class _Loader(yaml.SafeLoader):
    """Reads scalars by the rules above."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {  # noqa: RUF012
        "<": [("tag:yaml.org,2002:merge", re.compile(r"<<$"))]
    }


def _scalar(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> object:
    text = str(loader.construct_scalar(node))
    return _plain_scalar(text) if node.style is None else text


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> Map:
    loader.flatten_mapping(node)
    found = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, dict | list):
            raise yaml.YAMLError("yaml: invalid map key")
        found[key] = loader.construct_object(value_node, deep=True)
    return Map(found, _ANY_MAP)


def _sequence(loader: yaml.SafeLoader, node: yaml.SequenceNode) -> list[object]:
    return [loader.construct_object(each, deep=True) for each in node.value]


_Loader.add_constructor("tag:yaml.org,2002:str", _scalar)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:seq", _sequence)


def read_yaml(text: str) -> object:
    """Return the value of a document. Raises ValueError."""
    if len(text) > _LONGEST:
        raise ValueError(f"yaml: longer than {_LONGEST} characters")
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  (a SafeLoader with other rules)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"yaml: {' '.join(str(error).split())}") from None


class _Dumper(yaml.SafeDumper):
    """Writes as the peer does."""

    def ignore_aliases(self, _data: object) -> bool:
        """Write what is there twice twice."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = None
    if not isinstance(_plain_scalar(text), str) or _BASE_60.match(text) or _DATE.match(text):
        style = '"'
    elif "\n" in text:
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


def _number(dumper: yaml.SafeDumper, value: float) -> yaml.Node:
    special = {float("inf"): ".inf", float("-inf"): "-.inf"}
    shown = ".nan" if value != value else special.get(value)  # noqa: PLR0124
    text = shown or float_text(value, -4, 6)
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(float, _number)
# The scalar's style alone says how it is written: no tag, no second thought.
_Dumper.yaml_implicit_resolvers = {}


class _Untagged(_Dumper):
    def choose_scalar_style(self) -> str:
        """Forget that nothing is implied: every plain scalar may be plain."""
        if isinstance(self.event, yaml.ScalarEvent):
            self.event.implicit = (True, True)
        return str(super().choose_scalar_style())

    def process_tag(self) -> None:
        """Write no tag."""
        if self.event and isinstance(self.event, yaml.ScalarEvent) and self.style is None:
            self.style = self.choose_scalar_style()


def write_yaml(value: object) -> str:
    """Return the text, without white space at its ends. Raises ValueError."""
    try:
        whole = _sorted(plain(value, str.lower))
    except Unsupported as error:
        raise ValueError(f"yaml: {error}") from None
    text = yaml.dump(
        whole, Dumper=_Untagged, default_flow_style=False, allow_unicode=True, sort_keys=False
    )
    return str(text).removesuffix("...\n").strip()


def _sorted(value: object) -> object:
    if isinstance(value, Mapping):
        keys = sorted(value, key=_natural)
        return {key: _sorted(value[key]) for key in keys}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _natural(key: object) -> tuple[object, ...]:
    """Return what sorts keys: numbers first; in text, digits as a number, letters after others."""
    if isinstance(key, bool | int | float):
        return (0, float(key))
    pieces = []
    for digits, letters, other in _PIECE.findall(str(key)):
        pieces.append(
            (0, int(digits), "") if digits else (2, 0, letters) if letters else (1, 0, other)
        )
    return (1, *pieces)
