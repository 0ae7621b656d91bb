"""An engine behind ssh, as a socket of this host.

Each connection to the socket is one ``ssh -T HOST docker system dial-stdio``, as Docker's own
client does it; what ssh needs to know (keys, known hosts, jump hosts, ControlMaster) is in the
user's own ssh configuration. Nobody is asked for a password.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sidecar.runtime.log import get_logger

__all__ = ["Tunnel", "command_of"]

_CHUNK: Final = 1 << 16
_CONNECT: Final = 10
_WORDS: Final = 400
_log = get_logger("scheduler")


def command_of(endpoint: str) -> list[str]:
    """Return the command that reaches the engine of ``ssh://[USER@]HOST[:PORT]``."""
    found = urlsplit(endpoint)
    return [
        "ssh", "-T",
        "-o", "BatchMode=yes",
        "-o", f"ConnectTimeout={_CONNECT}",
        "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=2",
        *(("-l", found.username) if found.username else ()),
        *(("-p", str(found.port)) if found.port else ()),
        "--", found.hostname or "",
        "docker", "system", "dial-stdio",
    ]  # fmt: skip


class Tunnel:
    """Listens on a private socket while it is open."""

    def __init__(self, command: Sequence[str]) -> None:
        """``command`` speaks with the engine on its standard input and output."""
        self._command = list(command)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._server: asyncio.Server | None = None
        self._said = ""

    async def open(self) -> str:
        """Listen; return the URL of the socket."""
        folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="pn-ssh-")
        self._folder = folder
        path = Path(folder.name) / "docker.sock"
        self._server = await asyncio.start_unix_server(self._serve, path)
        return f"unix://{path}"

    async def close(self) -> None:
        """Stop listening, end what is connected."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._folder is not None:
            await asyncio.to_thread(self._folder.cleanup)
            self._folder = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            self._say(str(error))
            writer.close()
            return
        try:
            await self._carry(reader, writer, process)
        finally:
            writer.close()
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        process: asyncio.subprocess.Process,
    ) -> None:
        stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
        if stdin is None or stdout is None or stderr is None:
            raise RuntimeError("a process was started without its pipes")
        async with asyncio.TaskGroup() as group:
            there = group.create_task(_pump(reader, stdin))
            group.create_task(self._listen(stderr))
            await _pump(stdout, writer)
            there.cancel()

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        words = b""
        while data := await stderr.read(_CHUNK):
            words = (words + data)[-_WORDS:]
        self._say(" ".join(words.decode(errors="replace").split()))

    def _say(self, text: str) -> None:
        if text and text != self._said:
            _log.warning("ssh", command=" ".join(self._command), said=text)
        self._said = text


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
