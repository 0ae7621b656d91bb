"""The errors that the proxy itself answers, and what becomes of a run whose upstream is lost."""

from typing import TYPE_CHECKING, Final

from ambassador.redis.commands import Route
from ambassador.redis.replies import Replies
from ambassador.redis.resp import error

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.run import ClientRun

__all__ = ["settle_lost"]

MAX_CLIENTS: Final = error("ERR max number of clients reached")
NO_PRIMARY: Final = error("ERR ambassador: no primary available")
NO_REPLICA: Final = error("ERR ambassador: no replica available for reads")
CROWDED: Final = error("ERR ambassador: dedicated_max connections are in use")
UNKNOWN_OUTCOME: Final = error("ERR ambassador: connection to primary lost, write outcome unknown")
READ_LOST: Final = error("ERR ambassador: connection to the server lost")
TIMEOUT: Final = error("ERR ambassador: upstream timeout")
NOT_SERVED: Final = error("CLUSTERDOWN Hash slot not served")
IN_FAILOVER: Final = error("TRYAGAIN ambassador: failover in progress")
MONITORS: Final = error("ERR Replica can't interact with the keyspace")
NO_TRACKING: Final = error("ERR ambassador: CLIENT TRACKING is not available with a cluster")
NOT_IN_TRANSACTION: Final = error(
    "ERR ambassador: this command concerns all nodes of a cluster, a transaction one of them"
)
OTHER_NODE: Final = error("CROSSSLOT Keys in request don't hash to the same slot")
MOVING: Final = error("TRYAGAIN ambassador: the slot is being moved")
MOVED_AWAY: Final = error("EXECABORT Transaction discarded because of: the slot was moved")
CURSOR_LOST: Final = error("ERR ambassador: scan cursor lost with its replica; restart from 0")
NO_AUTH: Final = error("NOAUTH Authentication required.")
NO_AUTH_HELLO: Final = error(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto>"
    " AUTH <user> <pass> option can be used to authenticate the client and select the RESP"
    " protocol version at the same time"
)
WRONG_PASSWORD: Final = error("WRONGPASS invalid username-password pair or user is disabled.")
NO_PROTOCOL: Final = error("NOPROTO unsupported protocol version")
SYNTAX: Final = error("ERR syntax error")
BROKEN: Final = error("ERR ambassador: upstream connection lost in a transaction")
ABORTED: Final = error("EXECABORT Transaction discarded because of: upstream connection lost")

TIMED_OUT: Final = "timeout"
_MOST_TRIES: Final = 3


def denied(name: str) -> bytes:
    """Return the refusal of a command."""
    return error(f"NOPERM this command is disabled by ambassador: '{name}'")


def only_listening(name: str) -> bytes:
    """Return Redis' own words for what a subscriber may not do."""
    return error(
        f"ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET"
        " are allowed in this context"
    )


def arity(name: str) -> bytes:
    """Return Redis' own words for a wrong number of arguments."""
    return error(f"ERR wrong number of arguments for '{name}' command")


def settle_lost(client: "Client", run: "ClientRun", why: str, *, was_sent: bool) -> None:
    """Send a run again where that can do no harm; else answer what is known of it.

    A write that may have been executed is never sent again.
    """
    link = run.link
    refusal = getattr(link, "refusal", None)
    if refusal is not None and _is_of_replica(link):
        client.reader.moved()
        _reset(run)
        client.to_primary(run)
    elif refusal is not None:
        client.answered(run, refusal * run.count)
    elif run.is_streamed:
        client.close("reply_cut", is_abort=True)  # half a reply is out: nothing can follow it
    elif getattr(link, "client", None) is client:
        client.session.lost(run, was_sent=was_sent)
    elif not was_sent:
        _again(client, run)
    elif run.kind != Route.WRITE and run.tries < _MOST_TRIES:
        run.tries += 1
        client.hub.reissued("lost" if why != TIMED_OUT else "timeout")
        _again(client, run)
    else:
        _answer(client, run, why)


def _is_of_replica(link: object) -> bool:
    """Say whether it is only a replica that refuses a login: users are not replicated."""
    node = getattr(link, "node", None)
    return node is not None and not node.hub.is_cluster and not node.is_primary


def _reset(run: "ClientRun") -> None:
    run.left, run.has_error, run.is_stale = run.count, False, False
    run.parts.clear()


def _again(client: "Client", run: "ClientRun") -> None:
    _reset(run)
    if run.kind == Route.READ and client.reader.elsewhere(run):
        return
    client.to_primary(run)


def _answer(client: "Client", run: "ClientRun", why: str) -> None:
    """Answer what came, and an error for each command of which nothing is known."""
    came = b"".join(run.parts)
    run.parts.clear()
    complete, _ = Replies().take(came, 0, run.count - run.left) if run.count > run.left else (0, 0)
    if run.kind == Route.WRITE:
        client.hub.lost_sight(run)
        what = UNKNOWN_OUTCOME
    else:
        what = TIMEOUT if why == TIMED_OUT else READ_LOST
    client.answered(run, came[:complete] + what * run.left)
