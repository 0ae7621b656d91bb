"""One question and its answer on a proxy's control socket.

Every exchange has a time limit: a frozen proxy accepts connections and never answers.
"""

import asyncio
from pathlib import Path
from typing import Final

from templater.proxy import NobodyListens, ProxyUnavailable

__all__ = ["exchange"]

_MAX_REPLY: Final = 64 * 1024 * 1024


async def exchange(path: Path, line: str, *, timeout: float) -> str:
    """Send one line, return all that comes back; raises ProxyUnavailable."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_unix_connection(str(path))
            try:
                writer.write(line.encode("ascii") + b"\n")
                writer.write_eof()  # the master's socket stays open without
                return await _all(reader)
            finally:
                writer.close()
    except TimeoutError as error:
        raise ProxyUnavailable(f"no answer within {timeout} s on {path.name}") from error
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NobodyListens(f"{path.name}: {error.strerror or error}") from error
    except OSError as error:
        raise ProxyUnavailable(f"{path.name}: {error.strerror or error}") from error


async def _all(reader: asyncio.StreamReader) -> str:
    parts: list[bytes] = []
    size = 0
    while part := await reader.read(65536):
        parts.append(part)
        size += len(part)
        if size > _MAX_REPLY:
            raise ProxyUnavailable("an answer has no end")
    return b"".join(parts).decode("utf-8", "replace")
