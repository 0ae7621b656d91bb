"""gRPC checks of a server that is not ours: Debian's python3-grpcio."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sidecar.catalog.model import Status
from sidecar.checks.definition import CheckDefinition, Kind
from sidecar.checks.policy import CheckPolicy
from sidecar.checks.state import Result
from tests.integration.checks.probing import probe, self_signed

PYTHON = "/usr/bin/python3"  # the system's: it has the system's library
SERVER = Path(__file__).parents[2] / "support" / "grpc_server.py"
UNHEALTHY = "gRPC application didn't report service healthy"


@pytest.fixture(scope="module", autouse=True)
def _library() -> None:
    found = subprocess.run([PYTHON, "-c", "import grpc"], capture_output=True, check=False)
    if found.returncode:
        assert not os.environ.get("CI"), "python3-grpcio is missing: deploy/setup test"
        pytest.skip("python3-grpcio is not installed (deploy/setup test)")


@asynccontextmanager
async def serving(*arguments: str) -> AsyncIterator[int]:
    """Run the server, yield its port."""
    process = await asyncio.create_subprocess_exec(
        PYTHON,
        SERVER,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(await asyncio.wait_for(process.stdout.readline(), 20))
    finally:
        process.stdin.close()
        await process.wait()


def grpc(target: str, **more: Any) -> CheckDefinition:
    more.setdefault("timeout", 5.0)
    return CheckDefinition(name="n", kind=Kind.GRPC, target=target, interval=1.0, **more)


def error(text: str) -> Result:
    return Result(Status.CRITICAL, f"rpc error: code = {text}")


async def test_a_server_says_how_its_services_are() -> None:  # texts as Consul 1.8.7 gives them
    async with serving() as port:
        place = f"127.0.0.1:{port}"
        expected = {
            place: Result(Status.PASSING, f"gRPC check {place}: success"),
            f"{place}/": Result(Status.PASSING, f"gRPC check {place}/: success"),
            f"{place}/up": Result(Status.PASSING, f"gRPC check {place}/up: success"),
            f":{port}/up": Result(Status.PASSING, f"gRPC check :{port}/up: success"),
            f"{place}/down": Result(Status.CRITICAL, UNHEALTHY),
            f"{place}/unknown": Result(Status.CRITICAL, UNHEALTHY),
            f"{place}/odd": Result(Status.CRITICAL, UNHEALTHY),
            f"{place}/a/b": error("NotFound desc = unknown service"),
            f"{place}/ü": error("NotFound desc = unknown service"),
            f"{place}/denied": error('PermissionDenied desc = not for "you": 100 %\n'),
            f"{place}/long": error("ResourceExhausted desc = " + "é" * 1500),
        }
        found = {target: await probe(grpc(target)) for target in expected}
        assert found == expected


async def test_long_words_are_cut() -> None:
    async with serving() as port:
        result = await probe(grpc(f"127.0.0.1:{port}/long", output_most=45))
        assert result.output.endswith("desc = é ... (captured 45 of 3043 bytes)")


async def test_a_server_without_the_health_service_is_critical() -> None:
    async with serving("--bare") as port:
        expected = error("Unimplemented desc = Method not found!")
        assert await probe(grpc(f"127.0.0.1:{port}/up")) == expected


async def test_who_does_not_answer_in_time_is_critical() -> None:
    late = error("DeadlineExceeded desc = context deadline exceeded")
    async with serving() as port:
        assert await probe(grpc(f"127.0.0.1:{port}/slow", timeout=0.3)) == late


async def test_tls_is_spoken_and_verified_unless_told_not_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = await self_signed(tmp_path)
    async with serving(str(certificate), str(key)) as port:
        for host in ("127.0.0.1", "localhost"):
            target = f"{host}:{port}/up"
            success = Result(Status.PASSING, f"gRPC check {target}: success")
            assert await probe(grpc(target, tls=True, verify_tls=False)) == success
            refused = await probe(grpc(target, tls=True))
            assert "authentication handshake failed: x509: " in refused.output
            with monkeypatch.context() as patch:
                patch.setenv("SSL_CERT_FILE", str(certificate))
                assert await probe(grpc(target, tls=True)) == success
        plain = await probe(grpc(f"127.0.0.1:{port}"))
        assert plain == error("Unavailable desc = connection closed")


async def test_plain_text_behind_tls_is_a_failed_handshake() -> None:
    async with serving() as port:
        result = await probe(grpc(f"127.0.0.1:{port}", tls=True, verify_tls=False))
        assert result == error(
            'Unavailable desc = connection error: desc = "transport: authentication handshake'
            ' failed: tls: first record does not look like a TLS handshake"'
        )


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("127.0.0.1:1/up", "dial tcp 127.0.0.1:1: connect: connection refused"),
        ("127.0.0.1/up", "dial tcp: address 127.0.0.1: missing port in address"),
        ("name.invalid:1", "dial tcp: lookup name.invalid: no such host"),
        ("169.254.169.254:80", "dial tcp: checks may not connect to 169.254.169.254"),
    ],
)
async def test_no_connection_is_a_failure_with_its_reason(target: str, text: str) -> None:
    assert await probe(grpc(target)) == error(
        f'Unavailable desc = connection error: desc = "transport: Error while dialing {text}"'
    )


async def test_loopback_is_closed_to_checks_from_elsewhere() -> None:
    result = await probe(grpc("127.1:1"), CheckPolicy(), local=False)
    assert "checks registered from elsewhere may not connect to 127.0.0.1" in result.output


async def test_a_name_that_fits_no_frame_is_a_failure() -> None:
    assert await probe(grpc("127.0.0.1:1/" + "x" * 20000)) == error("Internal desc = name too long")


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (b"", "connection closed"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "connection closed"),
        (b"\0\0\0\4\0\0\0\0\0", "transport is closing"),
    ],
    ids=["nothing", "plain HTTP", "settings only"],
)
async def test_who_hangs_up_is_critical(sent: bytes, text: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(sent)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await probe(grpc(f"127.0.0.1:{port}")) == error(f"Unavailable desc = {text}")


async def test_an_answer_that_is_no_message_is_critical() -> None:
    answered = (
        b"\0\0\0\4\0\0\0\0\0"  # settings
        b"\0\0\x31\1\5\0\0\0\1"  # headers, the end of the stream with them
        b"\x88\x5f\x10application/grpc\x40\x0bgrpc-status\x010"
    )
    size = len(answered) - 18
    answered = answered.replace(b"\0\0\x31", size.to_bytes(3, "big"))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answered)
        while await reader.read(4096):
            pass
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await probe(grpc(f"127.0.0.1:{port}")) == error(
            "Internal desc = no message in the answer"
        )
