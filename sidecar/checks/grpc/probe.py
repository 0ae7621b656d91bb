"""Ask a server's gRPC health service once, as Consul 1.8.7 does and in its words."""

import asyncio
from contextlib import suppress
from typing import Final

from sidecar.catalog.model import Status
from sidecar.checks.definition import CheckDefinition
from sidecar.checks.dial import Contexts, DialError, HandshakeError, Stream, dial
from sidecar.checks.grpc.call import Call
from sidecar.checks.grpc.codes import Code, Outcome
from sidecar.checks.grpc.messages import SERVING, request_for, status_of
from sidecar.checks.policy import CheckPolicy
from sidecar.checks.state import Result, captured
from sidecar.errors import ProtocolError

__all__ = ["probe"]

_METHOD: Final = "/grpc.health.v1.Health/Check"
_LATE: Final = Outcome(Code.DEADLINE_EXCEEDED, "context deadline exceeded")
_UNHEALTHY: Final = "gRPC application didn't report service healthy"
_READ: Final = 16384


async def probe(
    definition: CheckDefinition, policy: CheckPolicy, contexts: Contexts, *, local: bool
) -> Result:
    """Ask ``host:port/service`` once, within the definition's timeout."""
    try:
        async with asyncio.timeout(definition.timeout):
            outcome = await _asked(definition, policy, contexts, local=local)
    except TimeoutError:
        outcome = _LATE
    return _result_of(definition, outcome)


def _result_of(definition: CheckDefinition, outcome: Outcome) -> Result:
    if outcome.code == Code.OK:
        try:
            if status_of(outcome.body) == SERVING:
                return Result(Status.PASSING, f"gRPC check {definition.target}: success")
            return Result(Status.CRITICAL, _UNHEALTHY)
        except ProtocolError as error:
            outcome = Outcome(Code.INTERNAL, str(error))
    return Result(Status.CRITICAL, captured(str(outcome), definition.output_most))


async def _asked(
    definition: CheckDefinition, policy: CheckPolicy, contexts: Contexts, *, local: bool
) -> Outcome:
    place, _, service = definition.target.partition("/")
    try:
        call = Call(
            _METHOD,
            request_for(service),
            authority=place,
            tls=definition.tls,
            timeout=definition.timeout,
        )
    except ValueError as error:
        return Outcome(Code.INTERNAL, str(error))
    context = None
    if definition.tls:
        context = await contexts.get(verify=definition.verify_tls, http2=True)
    try:
        stream = await dial(place, policy, local=local, context=context)
    except DialError as error:
        return _no_connection(f"Error while dialing {error}")
    except HandshakeError as error:
        return _no_connection(f"authentication handshake failed: {error}")
    return await _answered(call, stream)


def _no_connection(why: str) -> Outcome:
    return Outcome(Code.UNAVAILABLE, f'connection error: desc = "transport: {why}"')


async def _answered(call: Call, stream: Stream) -> Outcome:
    """Make the call; the connection is dropped, not closed in good order, as nobody waits."""
    reader, writer = stream
    try:
        writer.write(call.opening)
        while call.outcome is None:
            if data := await reader.read(_READ):
                writer.write(call.feed(data))
            else:
                call.ended()
    except OSError:
        call.ended()
    finally:
        with suppress(RuntimeError):  # the loop is closing
            writer.transport.abort()
    return call.outcome or _LATE
