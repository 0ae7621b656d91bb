"""Registrator's command line -> the equal configuration of ``pinnace up``, as TOML. Pure.

What has no equal is a comment, so that nothing is lost without a word.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from registrar.flags import FLAGS, options_of, refusal_of
from registrar.options import Options
from sidecar.config.goflags import FlagError, Help, Parsed, parse
from sidecar.config.model import RegistrarSettings, Settings
from sidecar.errors import PermanentError

__all__ = ["toml_of"]

_STORE: Final = {"CONSUL_HTTP_TOKEN", "CONSUL_HTTP_AUTH", "CONSUL_HTTP_ADDR"}
_LEGACY: Final = re.compile(r"\Aetcd://")
_WITHOUT: Final[Mapping[str, str]] = {
    "http": "pinnace up serves health and metrics at [http] listen",
    "dry-run": "see: pinnace registrar -dry-run",
    "json": "see: pinnace registrar -dry-run -json",
    "config": "give that file to pinnace up -c",
    "log-format": "see [log] format",
}


def toml_of(words: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the configuration; the words may begin with the program's name.

    Raises PermanentError when the command line is wrong.
    """
    if len(words) == 1:
        words = _split(words[0])
    variables, words = _variables(words)
    if words and not words[0].startswith("-") and "registrat" in words[0].rpartition("/")[2]:
        words = words[1:]
    try:
        parsed = parse(FLAGS, words)
    except (FlagError, Help) as error:
        raise PermanentError(str(error) or "that command line asks for help") from None
    if refusal := refusal_of(parsed, needs_store=True):
        raise PermanentError(refusal.strip())
    options = options_of(parsed, Settings(), frozenset(), drop_in=True)
    return "\n".join(_lines(options, parsed, dict(environ) | variables)) + "\n"


def _split(text: str) -> Sequence[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise PermanentError(f"the command line cannot be split: {error}") from None


def _variables(words: Sequence[str]) -> tuple[dict[str, str], Sequence[str]]:
    """Take the variables that stand before a command, as for a shell."""
    found: dict[str, str] = {}
    for place, word in enumerate(words):
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            return found, words[place:]
        found[name] = value
    return found, ()


def _lines(options: Options, parsed: Parsed, environ: Mapping[str, str]) -> Iterator[str]:
    yield "# The settings of pinnace up that equal this command line."
    docker = environ.get("DOCKER_HOST") or options.docker.url
    yield from ("", "[docker]", f"url = {_toml(docker)}")
    stores = [_LEGACY.sub("etcd2://", url) for url in options.stores]
    yield from ("", "[registrar]", f"stores = {_toml(stores)}")
    if stores != [*options.stores]:
        yield "# etcd2://: the API of the original; etcd:// asks by v3."
    for name, default in msgspec.structs.asdict(RegistrarSettings()).items():
        value = getattr(options.settings, name)
        if value != default and name != "stores":
            yield f"{name} = {_toml(value)}"
    if options.address_from == "name" and not options.settings.ip:
        yield '# ip: the original takes what its host name resolves to; write ip = "..." for that.'
    for flag in parsed.given:
        if flag in _WITHOUT:
            yield f"# -{flag}: {_WITHOUT[flag]}."
    for name in sorted(environ.keys() & _STORE):
        yield f"# {name}: is read from the environment as before."
    yield from ("", "[lb]", 'kind = "none"')


def _toml(value: object) -> str:
    """Return a value; JSON's texts, numbers and lists are TOML's too, but for one character."""
    if isinstance(value, tuple):
        value = list(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
