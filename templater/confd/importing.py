"""confd's command line -> the equal ``confd.toml``, which this program reads too. Pure.

What has no equal is a comment, so that nothing is lost without a word.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sidecar.config.commandline import split_words, toml_text, variables_before
from sidecar.errors import PermanentError
from sidecar.golang.reading import truth
from templater.confd.flags import Given, UsageError, parse
from templater.confd.options import FORK_ONLY, OPTIONS, Dialect, Kind
from templater.confd.settings import Settings, settings_of

__all__ = ["toml_of"]

_WITHOUT: Final[Mapping[str, str]] = {
    "onetime": "it is not a setting: pinnace templater -onetime",
    "config-file": "the values of that file belong here too; in confd they win over flags",
    "version": "it is not a setting",
}
_QUIET: Final = frozenset({"template-cache"})


def toml_of(words: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the configuration; the words may begin with variables and the program's name.

    Raises PermanentError when the command line is wrong, ConfigError when its values are.
    """
    variables, words = variables_before(split_words(words))
    name = words[0].rpartition("/")[2] if words and not words[0].startswith("-") else ""
    if "confd" in name or name == "templater":
        words = words[1:]
    try:
        given = parse(words)
    except UsageError as error:
        raise PermanentError(str(error) or "that command line asks for help") from None
    settings = settings_of(given, "", "command line", {**environ, **variables}).settings
    return "\n".join(_lines(given, settings)) + "\n"


def _lines(given: Given, settings: Settings) -> Iterator[str]:
    yield "# The confd.toml that equals this command line: pinnace templater -config-file FILE"
    for flag in given.values:
        if flag in _WITHOUT:
            yield f"# -{flag}: {_WITHOUT[flag]}."
    if given.dialect is Dialect.FORK and settings.prefix:
        yield "# prefix: before those of resources (the fork) only with the backend as a word:"
        yield f"# pinnace templater {settings.backend} --config-file FILE"
    yield f"backend = {toml_text(settings.backend)}"
    lists = {"node": settings.nodes, "file": settings.files}
    for flag, option in OPTIONS.items():
        if not option.key or flag == "backend" or flag in _QUIET:
            continue
        if flag in lists:
            if lists[flag]:
                yield f"{option.key} = {toml_text(lists[flag])}"
        elif settings[flag] != option.default:
            ours = "  # not read by confd itself" if flag in FORK_ONLY else ""
            yield f"{option.key} = {_value(option.kind, settings[flag])}{ours}"


def _value(kind: Kind, text: str) -> str:
    if kind is Kind.BOOL:
        return "true" if truth(text) else "false"
    is_number = kind in {Kind.SECONDS, Kind.NUMBER} and text.isascii() and text.isdigit()
    return str(int(text)) if is_number else toml_text(text)
