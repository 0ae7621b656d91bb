"""Registrator's command line -> the equal configuration of ``pinnace up``, as TOML. Pure.

What has no equal is a comment, so that nothing is lost without a word.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from registrar.flags import FLAGS, options_of, refusal_of
from registrar.options import Options
from sidecar.config.commandline import split_words, toml_text, variables_before
from sidecar.config.goflags import FlagError, Help, Parsed, parse
from sidecar.config.model import RegistrarSettings, Settings
from sidecar.errors import PermanentError

__all__ = ["toml_of"]

_READ: Final = re.compile(r"CONSUL_\w+|DOCKER_TLS_VERIFY|DOCKER_CERT_PATH")
_RUNNERS: Final = frozenset({"docker", "podman", "nerdctl"})
_IMAGE: Final = re.compile(r"(?!-)(?:\S+/)?registrator[\w.-]*(?:[:@]\S+)?", re.ASCII)
_LEGACY: Final = re.compile(r"\Aetcd://")
_WITHOUT: Final[Mapping[str, str]] = {
    "http": "pinnace up serves health and metrics at [http] listen",
    "dry-run": "see: pinnace registrar -dry-run",
    "json": "see: pinnace registrar -dry-run -json",
    "config": "give that file to pinnace up -c",
    "log-format": "see [log] format",
}


def toml_of(words: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the configuration; the words may begin with the program's name, or ``docker run``.

    Raises PermanentError when the command line is wrong.
    """
    variables, words = variables_before(_without_sudo(split_words(words)))
    if words and words[0] in _RUNNERS:
        more, words = _contained(words)
        variables |= more
    elif words and not words[0].startswith("-") and "registrat" in words[0].rpartition("/")[2]:
        words = words[1:]
    try:
        parsed = parse(FLAGS, words)
    except (FlagError, Help) as error:
        raise PermanentError(str(error) or "that command line asks for help") from None
    if refusal := refusal_of(parsed, needs_store=True):
        raise PermanentError(refusal.strip())
    options = options_of(parsed, Settings(), frozenset(), drop_in=True)
    return "\n".join(_lines(options, parsed, dict(environ) | variables)) + "\n"


def _without_sudo(words: Sequence[str]) -> Sequence[str]:
    return words[1:] if words[:1] == ["sudo"] else words


def _contained(words: Sequence[str]) -> tuple[dict[str, str], Sequence[str]]:
    """Return the variables and the arguments of a container of an image of Registrator.

    The last word that can be its image is taken, as one before may be the container's name.
    """
    places = [place for place, word in enumerate(words) if _IMAGE.fullmatch(word)]
    if not places:
        raise PermanentError("that runs no image of registrator")
    options = words[: places[-1]]
    given = [after for word, after in pairwise(options) if word in ("-e", "--env")]
    given += [word.partition("=")[2] for word in options if word.startswith("--env=")]
    pairs = (text.partition("=") for text in given)
    return {name: value for name, equals, value in pairs if equals}, words[places[-1] + 1 :]


def _lines(options: Options, parsed: Parsed, environ: Mapping[str, str]) -> Iterator[str]:
    yield "# The settings of pinnace up that equal this command line."
    docker = environ.get("DOCKER_HOST") or options.docker.url
    yield from ("", "[docker]", f"url = {toml_text(docker)}")
    stores = [_LEGACY.sub("etcd2://", url) for url in options.stores]
    yield from ("", "[registrar]", f"stores = {toml_text(stores)}")
    if stores != [*options.stores]:
        yield "# etcd2://: the API of the original; etcd:// asks by v3."
    for name, default in msgspec.structs.asdict(RegistrarSettings()).items():
        value = getattr(options.settings, name)
        if value != default and name != "stores":
            yield f"{name} = {toml_text(value)}"
    if options.address_from == "name" and not options.settings.ip:
        yield '# ip: the original takes what its host name resolves to; write ip = "..." for that.'
    for flag in parsed.given:
        if flag in _WITHOUT:
            yield f"# -{flag}: {_WITHOUT[flag]}."
    if read := [name for name in sorted(environ) if _READ.fullmatch(name)]:
        yield f"# {', '.join(read)}: read from the environment, as before."
    yield from ("", "[lb]", 'kind = "none"')
