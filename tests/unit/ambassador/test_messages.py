"""Subscriptions by their confirmations, and what is hidden of those that are made again."""

from ambassador.redis.messages import Subscriptions
from ambassador.redis.resp import packed


def confirmed(kind: str, name: str, count: int) -> bytes:
    return b"*3\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n:%d\r\n" % (
        len(kind), kind.encode(), len(name), name.encode(), count,
    )  # fmt: skip


def is_settled(messages: Subscriptions) -> bool:
    return messages.is_settled


MESSAGE = b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$11\r\nsubscribe:9\r\n"


def test_subscriptions_are_counted_from_their_confirmations() -> None:
    messages = Subscriptions()
    messages.feed(confirmed("subscribe", "a", 1) + confirmed("subscribe", "b", 2))
    assert messages.count == 2
    for byte in MESSAGE:
        assert messages.feed(bytes([byte])) == bytes([byte])
    assert messages.count == 2
    messages.feed(b"$2000\r\n" + b"x" * 1500)  # too long for a confirmation
    messages.feed(b"x" * 500 + b"\r\n")
    messages.feed(confirmed("unsubscribe", "a", 1))
    messages.feed(b"*3\r\n$12\r\npunsubscribe\r\n$-1\r\n:1\r\n")
    assert messages.count == 1
    messages.feed(b">3\r\n$10\r\nssubscribe\r\n$1\r\nc\r\n:1\r\n")
    assert messages.count == 2
    assert messages.feed(b"nonsense") == b"nonsense"
    assert messages.feed(confirmed("subscribe", "d", 7)) == confirmed("subscribe", "d", 7)
    assert messages.count == 2
    assert not is_settled(messages)


def test_it_is_known_when_all_that_was_asked_is_answered() -> None:
    messages = Subscriptions()
    messages.asked("subscribe", 2)
    messages.feed(confirmed("subscribe", "a", 1))
    assert not is_settled(messages)
    messages.feed(confirmed("subscribe", "b", 2) + MESSAGE)
    assert is_settled(messages)
    messages.feed(MESSAGE[:9])
    assert not is_settled(messages)  # half of a message cannot be continued by another server
    messages.feed(MESSAGE[9:])
    messages.asked("ping", 0)
    assert not is_settled(messages)
    messages.feed(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n")
    assert is_settled(messages)


def test_who_ends_all_subscriptions_is_told_of_each() -> None:
    messages = Subscriptions()
    messages.feed(confirmed("subscribe", "a", 1) + confirmed("subscribe", "b", 2))
    messages.asked("unsubscribe", 0)
    messages.feed(confirmed("unsubscribe", "a", 1))
    assert not is_settled(messages)
    messages.feed(confirmed("unsubscribe", "b", 0))
    assert messages.count == 0
    messages.asked("punsubscribe", 0)
    messages.feed(b"*3\r\n$12\r\npunsubscribe\r\n$-1\r\n:0\r\n")
    assert is_settled(messages)


def test_subscriptions_are_made_again_and_only_their_confirmations_are_hidden() -> None:
    messages = Subscriptions()
    messages.feed(confirmed("subscribe", "a", 1) + confirmed("psubscribe", "n*", 2))
    assert messages.commands() == [packed(b"SUBSCRIBE", b"a"), packed(b"PSUBSCRIBE", b"n*")]
    messages.hide()
    told = confirmed("subscribe", "a", 1) + MESSAGE + confirmed("psubscribe", "n*", 2) + MESSAGE
    seen = b"".join(messages.feed(told[at : at + 5]) for at in range(0, len(told), 5))
    assert seen == MESSAGE + MESSAGE
    assert is_settled(messages)
    assert messages.count == 2
    later = confirmed("subscribe", "c", 3)
    assert messages.feed(later) == later


def test_a_refusal_of_what_is_made_again_is_noticed() -> None:
    messages = Subscriptions()
    messages.feed(confirmed("subscribe", "a", 1))
    messages.hide()
    assert messages.feed(b"-NOPERM no\r\n") == b""
    assert messages.has_error
