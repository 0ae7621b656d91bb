"""Another program's command line, as somebody copies it from a script or a unit file. Pure."""

import json
import shlex
from collections.abc import Sequence

from sidecar.errors import PermanentError

__all__ = ["split_words", "toml_text", "variables_before"]


def split_words(words: Sequence[str]) -> Sequence[str]:
    """Return the words; one alone is split as a shell does. Raises PermanentError."""
    if len(words) != 1:
        return words
    try:
        return shlex.split(words[0])
    except ValueError as error:
        raise PermanentError(f"the command line cannot be split: {error}") from None


def variables_before(words: Sequence[str]) -> tuple[dict[str, str], Sequence[str]]:
    """Take the variables that stand before a command, as for a shell."""
    found: dict[str, str] = {}
    for place, word in enumerate(words):
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            return found, words[place:]
        found[name] = value
    return found, ()


def toml_text(value: object) -> str:
    """Return a value; JSON's texts, numbers and lists are TOML's too, but for one character."""
    if isinstance(value, tuple):
        value = list(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
