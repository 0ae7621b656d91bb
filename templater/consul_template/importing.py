"""consul-template's command line -> the equal configuration file. Pure."""

from collections.abc import Mapping, Sequence

from sidecar.config.goflags import FlagError, Help
from sidecar.errors import PermanentError
from templater.consul_template.keys import IGNORED, SCHEMA
from templater.consul_template.options import command_line
from templater.importing import text_of, words_of

__all__ = ["toml_of"]


def toml_of(words: Sequence[str], _environ: Mapping[str, str]) -> str:
    """Return the file, in HCL; the name is what all importers have. Raises PermanentError."""
    variables, words = words_of(words, "consul-template")
    try:
        given = command_line(words)
    except (FlagError, Help) as error:
        raise PermanentError(str(error) or "that command line asks for help") from None
    notes = [
        "The file of consul-template -config FILE (or pinnace consul-template -config FILE)",
        "that equals this command line.",
        *(f"{name} is read from the environment as before." for name in variables),
        *(f"-config {path}: give it before this file." for path in given.paths),
    ]
    if given.is_dry:
        notes.append("-dry: only the command line has it.")
    notes += [f"{name} has no effect: {IGNORED[name]}." for name in given.tree if name in IGNORED]
    return text_of(given.tree, SCHEMA, notes)
