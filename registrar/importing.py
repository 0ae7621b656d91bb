"""Registrator's command line -> the equal configuration of ``pinnace up``, as TOML. Pure.

What has no equal is a comment, so that nothing is lost without a word.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from registrar.flags import FLAGS, options_of, refusal_of
from registrar.options import Options
from sidecar.config.commandline import split_off, toml_text
from sidecar.config.goflags import FlagError, Help, Parsed, parse
from sidecar.config.model import RegistrarSettings, Settings
from sidecar.errors import PermanentError

__all__ = ["toml_of"]

_STORE: Final = {"CONSUL_HTTP_TOKEN", "CONSUL_HTTP_AUTH", "CONSUL_HTTP_ADDR"}
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
    variables, words = split_off(words, lambda name: "registrat" in name)
    try:
        parsed = parse(FLAGS, words)
    except (FlagError, Help) as error:
        raise PermanentError(str(error) or "that command line asks for help") from None
    if refusal := refusal_of(parsed, needs_store=True):
        raise PermanentError(refusal.strip())
    options = options_of(parsed, Settings(), frozenset(), drop_in=True)
    return "\n".join(_lines(options, parsed, dict(environ) | variables)) + "\n"


def _lines(options: Options, parsed: Parsed, environ: Mapping[str, str]) -> Iterator[str]:
    yield "# The settings of pinnace up that equal this command line."
    docker = environ.get("DOCKER_HOST") or options.docker.url
    yield from ("", "[docker]", f"url = {toml_text(docker)}")
    yield from ("", "[registrar]", f"stores = {toml_text(list(options.stores))}")
    for name, default in msgspec.structs.asdict(RegistrarSettings()).items():
        value = getattr(options.settings, name)
        if value != default and name != "stores":
            yield f"{name} = {toml_text(value)}"
    if options.address_from == "name" and not options.settings.ip:
        yield '# ip: the original takes what its host name resolves to; write ip = "..." for that.'
    for flag in parsed.given:
        if flag in _WITHOUT:
            yield f"# -{flag}: {_WITHOUT[flag]}."
    for name in sorted(environ.keys() & _STORE):
        yield f"# {name}: is read from the environment as before."
    yield from ("", "[lb]", 'kind = "none"')
