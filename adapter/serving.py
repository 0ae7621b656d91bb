"""How the adapters answer a scrape.

A big exposition is made and written piece by piece; in between the loop is others', so that
receiving goes on during a scrape, and no scrape is in memory as a whole.
"""

from collections.abc import Iterable
from itertools import chain
from typing import Final

from adapter.exposition import Family, negotiated, pieces
from sidecar.web.lean.request import Request
from sidecar.web.lean.server import Answer

__all__ = ["exposed"]

_SMALL: Final = 1 << 16  # characters that are answered in one go


def exposed(request: Request, families: Iterable[Family]) -> Answer:
    """Answer a scrape; families may be made while it is written."""
    form = negotiated(request.header("accept"))
    made = pieces(families, form)
    first = next(made)
    second = next(made, None)
    if second is None and len(first) < _SMALL:
        return Answer(200, first.encode("utf-8", "replace"), form.content_type)
    start = [first] if second is None else [first, second]
    return Answer(200, kind=form.content_type, more=chain(start, made))
