"""HTTP servers on loopback for the tests: ``backend.py COUNT [ADDRESS]`` prints their ports.

Each answers every request with its own port, after ``?MS`` milliseconds; ``/hold`` never answers,
a path with ``echo`` is added to the answer.
"""

import asyncio
import sys


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    port = writer.get_extra_info("sockname")[1]
    body = str(port).encode()
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1]
            if path == b"/hold":
                await asyncio.sleep(3600)
            if b"echo" in path:
                await reply(writer, body + b" " + path)
                continue
            _, _, wait = path.partition(b"?")
            await asyncio.sleep(int(wait or b"0") / 1000)
            await reply(writer, body)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def reply(writer: asyncio.StreamWriter, body: bytes) -> None:
    length = str(len(body)).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\n" + body)
    await writer.drain()


async def main() -> None:
    servers = [await asyncio.start_server(answer, "127.0.0.1", 0) for _ in range(int(sys.argv[1]))]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
