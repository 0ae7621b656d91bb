"""One unary call over a new HTTP/2 connection, as a state machine without IO. Pure.

What it does of HTTP/2 is what one small call needs: the request goes out with the preface; of the
answer, headers, data and trailers of stream 1 are read; settings and pings are acknowledged,
everything else is ignored. Whatever the server sends is far below the window that HTTP/2 starts
with, so no window is ever opened, and a server that sends more than ``MOST`` bytes is left.

    opened -> settings seen -> headers -> (data) -> trailers -> outcome
         \\__________ anything else: an outcome that says so __________/
"""

from typing import Final
from urllib.parse import unquote

from sidecar.checks.grpc.codes import Code, Outcome, code_of_reset, meaning_of_http
from sidecar.checks.grpc.frames import FRAME_MOST, PREFACE, Flag, Frame, Frames, Type, written
from sidecar.checks.grpc.hpack import Decoder, encoded
from sidecar.errors import ProtocolError
from sidecar.golang.quoting import quoted

__all__ = ["MOST", "Call"]

MOST: Final = 65535
"""Bytes taken from a server in all: the window of a connection that nobody opened further."""
_HEADERS_MOST: Final = 16384
_STREAM: Final = 1
_ENABLE_PUSH, _MAX_HEADER_LIST_SIZE = 2, 6
_SETTINGS: Final = b"".join(
    key.to_bytes(2, "big") + value.to_bytes(4, "big")
    for key, value in ((_ENABLE_PUSH, 0), (_MAX_HEADER_LIST_SIZE, _HEADERS_MOST))
)


class Call:
    """Feed it what the server sends, send what it returns, until there is an ``outcome``."""

    def __init__(
        self, path: str, body: bytes, *, authority: str, tls: bool, timeout: float
    ) -> None:
        """Call ``path`` with one message. Raises ValueError when that is too large for a frame."""
        headers = [
            (b":method", b"POST"),
            (b":scheme", b"https" if tls else b"http"),
            (b":path", path.encode()),
            (b":authority", authority.encode("utf-8", "surrogateescape")),
            (b"content-type", b"application/grpc"),
            (b"user-agent", b"pinnace"),
            (b"te", b"trailers"),
            (b"grpc-timeout", b"%dm" % max(1, min(99_999_999, round(timeout * 1000)))),
        ]
        block = encoded(headers)
        if max(len(block), len(body)) > FRAME_MOST:
            raise ValueError("name too long")
        self.opening: bytes = (
            PREFACE
            + written(Type.SETTINGS, _SETTINGS)
            + written(Type.HEADERS, block, flags=Flag.END_HEADERS, stream=_STREAM)
            + written(Type.DATA, body, flags=Flag.END_STREAM, stream=_STREAM)
        )
        self.outcome: Outcome | None = None
        self._frames = Frames()
        self._decoder = Decoder(_HEADERS_MOST)
        self._is_open = False
        self._taken = 0
        self._block: bytes | None = None
        self._block_ends = False
        self._has_headers = False
        self._body = b""

    def feed(self, data: bytes) -> bytes:
        """Take what the server sent and return what is to be sent; never raises."""
        replies = b""
        try:
            for frame in self._frames.feed(data):
                if self.outcome is not None:
                    break
                replies += self._take(frame)
        except ProtocolError as error:
            self._fail(str(error))
        return replies

    def ended(self) -> None:
        """Take note that the server sends no more."""
        self._fail("transport is closing")

    def _fail(self, why: str) -> None:
        """End the call, unless it ended before; a peer that speaks no HTTP/2 has just gone."""
        text = why if self._is_open else "connection closed"
        self.outcome = self.outcome or Outcome(Code.UNAVAILABLE, text)

    def _take(self, frame: Frame) -> bytes:
        if not self._is_open:
            if frame.type != Type.SETTINGS or frame.flags & Flag.ACK:
                raise ProtocolError("no settings first")
            self._is_open = True
        self._taken += len(frame.content)
        if self._taken > MOST:
            raise ProtocolError("answer larger than allowed")
        if self._block is not None and frame.type != Type.CONTINUATION:
            raise ProtocolError("header block interrupted")
        match frame.type:
            case Type.SETTINGS:
                return _settings_reply(frame)
            case Type.PING:
                return _ping_reply(frame)
            case Type.PUSH_PROMISE:
                raise ProtocolError("push that was refused")
            case Type.GOAWAY:
                self._go_away(frame)
            case Type.HEADERS | Type.CONTINUATION:
                self._take_headers(frame)
            case Type.DATA | Type.RST_STREAM if frame.stream == _STREAM:
                self._take_stream(frame)
        return b""

    def _go_away(self, frame: Frame) -> None:
        """End the call if the server did not take it; otherwise its answer still comes."""
        if len(frame.content) < 8 or frame.stream:
            raise ProtocolError("bad GOAWAY")
        if int.from_bytes(frame.content[:4], "big") & 0x7FFFFFFF < _STREAM:
            self.outcome = Outcome(Code.UNAVAILABLE, "transport is closing")

    def _take_stream(self, frame: Frame) -> None:
        if frame.type == Type.RST_STREAM:
            name, code = code_of_reset(int.from_bytes(frame.content, "big"))
            text = f"stream terminated by RST_STREAM with error code: {name}"
            self.outcome = Outcome(code, text)
            return
        if not self._has_headers:
            raise ProtocolError("data before headers")
        self._body += frame.unpadded()
        if frame.flags & Flag.END_STREAM:
            text = "server closed the stream without sending trailers"
            self.outcome = Outcome(Code.INTERNAL, text)

    def _take_headers(self, frame: Frame) -> None:
        """Collect a block; other streams' too, as the table of headers is the connection's."""
        if frame.type == Type.CONTINUATION:
            if self._block is None or frame.stream != _STREAM:
                raise ProtocolError("continuation of nothing")
            self._block += frame.content
        else:
            if frame.stream != _STREAM:
                raise ProtocolError("headers of a stream that does not exist")
            content = frame.unpadded()
            self._block = content[5:] if frame.flags & Flag.PRIORITY else content
            self._block_ends = bool(frame.flags & Flag.END_STREAM)
        if len(self._block) > _HEADERS_MOST:
            raise ProtocolError("header block larger than allowed")
        if frame.flags & Flag.END_HEADERS:
            block, self._block = self._block, None
            self._read_headers(dict(self._decoder.headers(block)))

    def _read_headers(self, headers: dict[bytes, bytes]) -> None:
        if not self._has_headers:
            status = headers.get(b":status", b"")
            if status.startswith(b"1") and not self._block_ends:
                return  # an interim answer
            self._has_headers = True
            refused = _refusal(status, headers.get(b"content-type", b""))
            if refused is not None:
                self.outcome = refused
                return
        elif not self._block_ends:
            raise ProtocolError("trailers that are not the end")
        if self._block_ends:
            self.outcome = _outcome(headers, self._body)


def _settings_reply(frame: Frame) -> bytes:
    if frame.stream or len(frame.content) % 6:
        raise ProtocolError("bad SETTINGS")
    return b"" if frame.flags & Flag.ACK else written(Type.SETTINGS, b"", flags=Flag.ACK)


def _ping_reply(frame: Frame) -> bytes:
    if frame.stream or len(frame.content) != 8:
        raise ProtocolError("bad PING")
    return b"" if frame.flags & Flag.ACK else written(Type.PING, frame.content, flags=Flag.ACK)


def _refusal(status: bytes, kind: bytes) -> Outcome | None:
    """Return why an answer is none of gRPC, or None; a status does not matter if the kind does."""
    if kind.startswith(b"application/grpc"):
        return None
    why = "transport: missing content-type field"
    if kind:
        shown = quoted(kind.decode("utf-8", "replace"))
        why = f"transport: received the unexpected content-type {shown}"
    if not (status.isdigit() and len(status) == 3):
        return Outcome(Code.INTERNAL, f"malformed header: missing HTTP status; {why}")
    reason, code = meaning_of_http(int(status))
    return Outcome(code, f"{reason}: HTTP status code {int(status)}; {why}")


def _outcome(headers: dict[bytes, bytes], body: bytes) -> Outcome:
    code = headers.get(b"grpc-status", b"")
    if not (code.isdigit() and len(code) < 10):
        return Outcome(Code.UNKNOWN, "malformed grpc-status")
    text = unquote(headers.get(b"grpc-message", b"").decode("utf-8", "replace"), errors="replace")
    return Outcome(int(code), text, body)
