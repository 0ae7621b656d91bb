"""Another program's command line, as somebody copies it from a script or a unit file. Pure."""

import json
import shlex
from collections.abc import Callable, Sequence

from sidecar.errors import PermanentError

__all__ = ["split_off", "toml_text"]


def split_off(
    words: Sequence[str], is_program: Callable[[str], bool]
) -> tuple[dict[str, str], Sequence[str]]:
    """Return the variables before a command, and its arguments without the program's name.

    One word is split as a shell does. Raises PermanentError when it cannot be.
    """
    if len(words) == 1:
        try:
            words = shlex.split(words[0])
        except ValueError as error:
            raise PermanentError(f"the command line cannot be split: {error}") from None
    variables: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            break
        variables[name] = value
    words = words[len(variables) :]
    named = words and not words[0].startswith("-") and is_program(words[0].rpartition("/")[2])
    return variables, words[1:] if named else words


def toml_text(value: object) -> str:
    """Return a value; JSON's texts, numbers and lists are TOML's too, but for one character."""
    if isinstance(value, tuple):
        value = list(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
