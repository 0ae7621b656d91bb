"""What the importers of command lines in Go's syntax have in common. Pure."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from sidecar.errors import PermanentError
from templater.consul_template.schema import Schema, Tree
from templater.consul_template.writing import hcl_of

__all__ = ["text_of", "words_of"]

_SECRETS: Final[Mapping[tuple[str, str], str]] = {
    ("consul", "auth"): "CONSUL_HTTP_AUTH",
    ("consul", "token"): "CONSUL_HTTP_TOKEN",
    ("vault", "token"): "VAULT_TOKEN",
}


def words_of(words: Sequence[str], program: str) -> tuple[list[str], Sequence[str]]:
    """Return the variables set before a command, and its words without the program's name.

    The whole line may be one word. Raises PermanentError.
    """
    if len(words) == 1:
        try:
            words = shlex.split(words[0])
        except ValueError as error:
            raise PermanentError(f"the command line cannot be split: {error}") from None
    place = 0
    while place < len(words) and words[place].partition("=")[0].isidentifier():
        if "=" not in words[place]:
            break
        place += 1
    variables = [word.partition("=")[0] for word in words[:place]]
    words = words[place:]
    if words and not words[0].startswith("-") and program in words[0].rpartition("/")[2]:
        words = words[1:]
    return variables, words


def text_of(tree: Tree, schema: Schema, notes: Sequence[str]) -> str:
    """Return a file that says what a tree says, with what has no equal as comments."""
    told = [f"# {note}" for note in notes]
    told += [
        f"# {block}.{key} is a secret: {name} in the environment does the same."
        for (block, key), name in _SECRETS.items()
        if key in tree.get(block, {})
    ]
    return "\n".join([*told, *hcl_of(tree, schema)]) + "\n"
