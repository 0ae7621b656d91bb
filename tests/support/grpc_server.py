"""A gRPC server with the standard health service, on Debian's Python and its real grpc library.

A program of its own, because that library is the system's: ``grpc_server.py [CERTIFICATE KEY]``
prints its port on loopback and serves until its input ends. The service ``up`` is serving,
``down`` is not, ``unknown`` does not know, ``odd`` says what nobody knows, ``slow`` never answers,
``denied`` is refused, ``long`` is refused in many words; every other one does not exist. With
``--bare`` there is no health service at all.
"""

import sys
import threading
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped,import-not-found,unused-ignore]

STATUSES = {b"": 1, b"up": 1, b"down": 2, b"unknown": 0, b"odd": 9}
ENDS = {
    b"denied": (grpc.StatusCode.PERMISSION_DENIED, 'not for "you": 100 %\n'),
    b"long": (grpc.StatusCode.RESOURCE_EXHAUSTED, "é" * 1500),
}
STOPPED = threading.Event()


def check(request: bytes, context: Any) -> bytes:
    """Answer one call; in both messages field 1 is all there is."""
    name = request[2:]
    if name == b"slow":
        STOPPED.wait()
    if name in ENDS:
        context.abort(*ENDS[name])
    if name not in STATUSES:
        context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    status = STATUSES[name]
    return bytes([8, status]) if status else b""


def main(arguments: list[str]) -> None:
    """Serve until the input ends."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    if arguments != ["--bare"]:
        method = grpc.unary_unary_rpc_method_handler(check)
        handler = grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": method})
        server.add_generic_rpc_handlers((handler,))
    if len(arguments) == 2:
        certificate, key = (Path(name).read_bytes() for name in arguments)
        credentials = grpc.ssl_server_credentials([(key, certificate)])
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    STOPPED.set()
    server.stop(None)


if __name__ == "__main__":
    main(sys.argv[1:])
