"""Try one check once: by HTTP, by gRPC, by a connection, by a command.

A probe returns a Result whatever happens, within the definition's timeout.
"""

import asyncio
import os
import signal
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from sidecar.catalog.model import Status
from sidecar.checks.addresses import reason_of
from sidecar.checks.definition import CheckDefinition, Kind
from sidecar.checks.dial import Contexts, DialError, dial
from sidecar.checks.grpc import probe as grpc_probe
from sidecar.checks.policy import CheckPolicy
from sidecar.checks.state import Result
from sidecar.checks.web_probe import WebProbe

__all__ = ["Prober"]

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OF_EXIT: Final = {0: Status.PASSING, 1: Status.WARNING}
_REAP: Final = 5.0


class Prober:
    """Runs probes; an async context manager, as it holds HTTP clients."""

    def __init__(self, policy: CheckPolicy) -> None:
        """Judge every address by this policy."""
        self._policy = policy
        self._contexts = Contexts()
        self._web = WebProbe(policy, self._contexts)

    async def __aenter__(self) -> Self:
        """Open the HTTP clients."""
        await self._web.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the HTTP clients."""
        await self._web.__aexit__(kind, error, trace)

    async def run(self, definition: CheckDefinition, *, local: bool) -> Result:
        """Try once; ``local``: the check was registered from this host."""
        match definition.kind:
            case Kind.HTTP:
                return await self._web.run(definition, local=local)
            case Kind.TCP:
                return await self._connect(definition, local=local)
            case Kind.GRPC:
                return await grpc_probe.probe(definition, self._policy, self._contexts, local=local)
            case Kind.SCRIPT:
                return await _command(definition)
            case kind:
                return Result(Status.CRITICAL, f"checks of type {kind} are not supported")

    async def _connect(self, definition: CheckDefinition, *, local: bool) -> Result:
        target = definition.target
        try:
            async with asyncio.timeout(definition.timeout):
                _, writer = await dial(target, self._policy, local=local)
        except TimeoutError:
            return Result(Status.CRITICAL, f"dial tcp {target}: i/o timeout")
        except DialError as error:
            return Result(Status.CRITICAL, str(error))
        writer.close()
        return Result(Status.PASSING, f"TCP connect {target}: Success")


async def _command(definition: CheckDefinition) -> Result:
    """Run a command in its own process group, with a clean environment (reliability T4)."""
    try:
        process = await asyncio.create_subprocess_exec(
            *definition.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            env={"PATH": _PATH, "LANG": "C.UTF-8"},
        )
    except (OSError, ValueError) as error:
        name = definition.argv[0]
        return Result(Status.CRITICAL, f'exec: "{name}": {reason_of(error)}')
    output = _Output(definition.output_most)
    try:
        async with asyncio.timeout(definition.timeout):
            await output.take(process.stdout)
            code = await process.wait()
    except TimeoutError:
        text = f"Timed out ({definition.timeout:g}s) running check"
        return Result(Status.CRITICAL, f"{text}\n\n{output.text()}".rstrip())
    finally:
        await _end(process)
    return Result(_OF_EXIT.get(code, Status.CRITICAL), output.text())


class _Output:
    """The end of what a command wrote."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept = b""
        self._seen = 0

    async def take(self, stream: asyncio.StreamReader | None) -> None:
        while stream is not None and (chunk := await stream.read(65536)):
            self._seen += len(chunk)
            self._kept = (self._kept + chunk)[-self._most :]

    def text(self) -> str:
        text = self._kept.decode("utf-8", "replace")
        if self._seen <= self._most:
            return text
        return f"Captured {self._most} of {self._seen} bytes\n...\n{text}"


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill what is left of the process group and take the exit status."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(_REAP):
            await process.wait()
