"""Whether a replica's reply could be that of a key that is not there. Pure.

While a slot moves, its keys are deleted where they were, and replicas there say of each that there
is none, where their primary would send the client on (ASK). So what may be a miss is not believed
of a replica. Only what shows something of a value is.
"""

from ambassador.redis.resp import Failure, decode
from sidecar.errors import ProtocolError

__all__ = ["may_be_miss"]


def may_be_miss(reply: bytes) -> bool:
    """Say whether nothing in a reply shows that its key exists."""
    try:
        value, _ = decode(reply)
    except (ProtocolError, ValueError):
        return True
    return not _shows_something(value) or reply == b"+none\r\n"


def _shows_something(value: object) -> bool:
    match value:
        case Failure() | None:
            return False
        case bool() | bytes():
            return bool(value)
        case int() | float():
            return value > 0
        case list():
            return any(_shows_something(one) for one in value)
        case dict():
            return any(_shows_something(one) for pair in value.items() for one in pair)
    return False
