import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.checks.grpc.call import MOST, Call
from sidecar.checks.grpc.codes import Outcome
from sidecar.checks.grpc.frames import FRAME_MOST, PREFACE, Flag, Frame, Frames, Type, written
from sidecar.checks.grpc.hpack import Decoder, encoded

END = Flag.END_HEADERS | Flag.END_STREAM
SETTINGS = written(Type.SETTINGS, b"\0\4\0\1\0\0")
ACK = written(Type.SETTINGS, b"", flags=Flag.ACK)
BODY = b"\0\0\0\0\2\x08\1"
HEADERS = [(b":status", b"200"), (b"content-type", b"application/grpc")]
TRAILERS = [(b"grpc-status", b"0")]


def call(path: str = "/s/m", timeout: float = 1.5) -> Call:
    return Call(path, b"body", authority="h:1", tls=False, timeout=timeout)


def headers(found: list[tuple[bytes, bytes]], flags: int = Flag.END_HEADERS) -> bytes:
    return written(Type.HEADERS, encoded(found), flags=flags, stream=1)


def data(content: bytes, flags: int = 0) -> bytes:
    return written(Type.DATA, content, flags=flags, stream=1)


def outcome(*parts: bytes) -> Outcome | None:
    """Return the outcome after what the server sent, settings first."""
    one = call()
    one.feed(SETTINGS + b"".join(parts))
    return one.outcome


ANSWER = SETTINGS + headers(HEADERS) + data(BODY) + headers(TRAILERS, END)


def test_the_request_goes_out_with_the_preface() -> None:
    opening = call().opening
    assert opening.startswith(PREFACE)
    settings, asked, body = Frames().feed(opening[len(PREFACE) :])
    assert settings[:3] == (Type.SETTINGS, 0, 0)
    assert asked[:3] == (Type.HEADERS, Flag.END_HEADERS, 1)
    assert dict(Decoder(4096).headers(asked.content)) == {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": b"/s/m",
        b":authority": b"h:1",
        b"content-type": b"application/grpc",
        b"user-agent": b"pinnace",
        b"te": b"trailers",
        b"grpc-timeout": b"1500m",
    }
    assert body == Frame(Type.DATA, Flag.END_STREAM, 1, b"body")


def test_what_fits_no_frame_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ValueError, match="too long"):
        call("/" + "x" * FRAME_MOST)


def test_an_answer_has_its_message_and_settings_are_acknowledged() -> None:
    one = call()
    assert one.feed(ANSWER) == ACK
    assert one.outcome == Outcome(0, "", BODY)


def test_a_ping_is_answered_and_an_answer_to_one_is_not() -> None:
    one = call()
    ping = written(Type.PING, b"12345678")
    pong = written(Type.PING, b"12345678", flags=Flag.ACK)
    assert one.feed(SETTINGS + ACK + ping + pong) == ACK + pong
    assert one.outcome is None


NOISE = [
    written(Type.PING, b"12345678"),
    SETTINGS,
    ACK,
    bytes([0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0]),  # a window
    bytes([0, 0, 1, 99, 0, 0, 0, 0, 1, 0]),  # of a kind nobody knows
    written(Type.GOAWAY, b"\0\0\0\1" + bytes(4)),
    written(Type.DATA, b"x", stream=3),
]


@given(
    st.lists(st.sampled_from(NOISE), max_size=4),
    st.lists(st.integers(1, 80), max_size=12),
)
def test_every_split_gives_the_same(noise: list[bytes], cuts: list[int]) -> None:
    sent = SETTINGS + b"".join(noise) + ANSWER[len(SETTINGS) :]
    whole, split = call(), call()
    replies = whole.feed(sent)
    pieces = b""
    rest = sent
    for cut in cuts:
        pieces += split.feed(rest[:cut])
        rest = rest[cut:]
    pieces += split.feed(rest)
    assert (split.outcome, pieces) == (whole.outcome, replies)
    assert whole.outcome == Outcome(0, "", BODY)


FRAMES = st.builds(
    lambda kind, flags, stream, content: (
        len(content).to_bytes(3, "big") + bytes([kind, flags, 0, 0, 0, stream]) + content
    ),
    st.integers(0, 10),
    st.integers(0, 255),
    st.integers(0, 3),
    st.one_of(
        st.binary(max_size=40), st.just(encoded(HEADERS)), st.just(encoded(TRAILERS)), st.just(BODY)
    ),
)


@given(st.lists(FRAMES, max_size=12), st.binary(max_size=20), st.booleans())
def test_garbage_never_raises_and_every_split_of_it_gives_the_same(
    frames: list[bytes], rest: bytes, is_open: bool
) -> None:
    sent = (SETTINGS if is_open else b"") + b"".join(frames) + rest
    whole, split = call(), call()
    replies = whole.feed(sent)
    assert b"".join(split.feed(bytes([byte])) for byte in sent) == replies
    whole.ended()
    split.ended()
    assert split.outcome == whole.outcome
    assert whole.outcome is not None


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([headers([*HEADERS, *TRAILERS], END)], id="trailers alone"),
        pytest.param(
            [
                written(Type.HEADERS, b"", flags=Flag.END_STREAM, stream=1),
                written(Type.CONTINUATION, encoded(HEADERS), stream=1),
                written(Type.CONTINUATION, encoded(TRAILERS), flags=Flag.END_HEADERS, stream=1),
            ],
            id="a block in pieces",
        ),
        pytest.param(
            [
                written(
                    Type.HEADERS,
                    b"\2" + bytes(5) + encoded([*HEADERS, *TRAILERS]) + bytes(2),
                    flags=END | Flag.PADDED | Flag.PRIORITY,
                    stream=1,
                )
            ],
            id="padding and a priority",
        ),
        pytest.param(
            [headers([(b":status", b"103")]), headers([*HEADERS, *TRAILERS], END)],
            id="an interim answer first",
        ),
    ],
)
def test_headers_come_in_many_forms(parts: list[bytes]) -> None:
    assert outcome(*parts) == Outcome(0)


def test_padded_data_is_data() -> None:
    padded = data(b"\3" + BODY + bytes(3), Flag.PADDED)
    assert outcome(headers(HEADERS), padded, headers(TRAILERS, END)) == Outcome(0, "", BODY)


@pytest.mark.parametrize(
    ("trailers", "expected"),
    [
        ([(b"grpc-status", b"5"), (b"grpc-message", b"no%20%C3%BC")], Outcome(5, "no ü")),
        ([(b"grpc-status", b"99")], Outcome(99)),
        ([(b"grpc-status", b"x")], Outcome(2, "malformed grpc-status")),
        ([], Outcome(2, "malformed grpc-status")),
    ],
    ids=["refused", "unknown code", "no number", "none"],
)
def test_the_trailers_say_how_it_ended(
    trailers: list[tuple[bytes, bytes]], expected: Outcome
) -> None:
    assert outcome(headers([*HEADERS, *trailers], END)) == expected


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            [(b":status", b"404"), (b"content-type", b"text/html")],
            (
                "code = Unimplemented desc = Not Found: HTTP status code 404;"
                ' transport: received the unexpected content-type "text/html"'
            ),
        ),
        (
            [(b":status", b"200")],
            "code = Unknown desc = OK: HTTP status code 200; transport: missing content-type field",
        ),
        (
            [(b":status", b"999")],
            "code = Unknown desc = : HTTP status code 999; transport: missing content-type field",
        ),
        (
            [],
            (
                "code = Internal desc = malformed header: missing HTTP status;"
                " transport: missing content-type field"
            ),
        ),
    ],
    ids=["not found", "no type", "unknown status", "no status"],
)
def test_an_answer_of_plain_http_is_told_as_such(
    found: list[tuple[bytes, bytes]], text: str
) -> None:
    assert str(outcome(headers(found))) == f"rpc error: {text}"


def test_codes_beyond_the_known_are_shown_by_number() -> None:
    assert str(Outcome(99, "x")) == "rpc error: code = Code(99) desc = x"


def reset(error: int) -> bytes:
    return written(Type.RST_STREAM, error.to_bytes(4, "big"), stream=1)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([reset(7)], "Unavailable desc = stream terminated by RST_STREAM"),
        ([reset(77)], "Unknown desc = stream terminated by RST_STREAM with error code: 77"),
        ([headers(HEADERS), data(BODY, Flag.END_STREAM)], "Internal desc = server closed the str"),
        ([written(Type.GOAWAY, bytes(8))], "Unavailable desc = transport is closing"),
        ([written(Type.GOAWAY, b"")], "bad GOAWAY"),
        ([written(Type.PING, b"")], "bad PING"),
        ([written(Type.SETTINGS, b"1")], "bad SETTINGS"),
        ([written(Type.PUSH_PROMISE, b"")], "push that was refused"),
        ([data(b"x")], "data before headers"),
        ([written(Type.HEADERS, b"", stream=3)], "headers of a stream"),
        ([written(Type.HEADERS, b"", stream=1), SETTINGS], "header block interrupted"),
        ([written(Type.CONTINUATION, b"", stream=1)], "continuation of nothing"),
        ([headers(HEADERS), headers(TRAILERS)], "trailers that are not the end"),
        ([data(b"\7abc", Flag.PADDED)], "before headers"),
        ([headers(HEADERS), data(b"\7abc", Flag.PADDED)], "padding longer"),
        ([headers(HEADERS), data(b"", Flag.PADDED)], "padding longer"),
        ([b"\1\0\0" + bytes(6)], "frame larger"),
        (
            [
                written(Type.HEADERS, bytes(9000), stream=1),
                written(Type.CONTINUATION, bytes(9000), stream=1),
            ],
            "header block larger",
        ),
        ([written(Type.PING, bytes(8))] * (MOST // 8 + 1), "answer larger"),
    ],
)
def test_whatever_else_comes_ends_the_call_with_its_reason(parts: list[bytes], text: str) -> None:
    assert text in str(outcome(*parts))


@pytest.mark.parametrize("sent", [b"HTTP/1.1 400 Bad Request\r\n\r\n", ACK, headers(HEADERS), b""])
def test_who_does_not_begin_with_settings_speaks_no_http2(sent: bytes) -> None:
    one = call()
    one.feed(sent)
    one.ended()
    assert str(one.outcome) == "rpc error: code = Unavailable desc = connection closed"


def test_an_end_after_the_answer_changes_nothing() -> None:
    one = call()
    one.feed(ANSWER)
    one.ended()
    assert one.outcome == Outcome(0, "", BODY)
    assert one.feed(SETTINGS) == b""
