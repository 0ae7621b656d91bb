import io
import json
import logging
from collections.abc import Iterator

import pytest

from sidecar.runtime import log


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def _written(form: str, level: str = "info") -> tuple[io.StringIO, log.Logger]:
    stream = io.StringIO()
    log.configure(form, level, stream)
    return stream, log.get_logger("registrar")


def test_text_line_has_time_level_component_event_and_fields() -> None:
    stream, logger = _written("text")
    logger.info("registered", service="web", port=80)
    time, rest = stream.getvalue().split(" ", 1)
    assert time.endswith("Z")
    assert rest == "info registrar: registered service=web port=80\n"


@pytest.mark.parametrize(
    "hostile", ["a\nERROR forged", "\x1b[2Jcleared", "a\u2028b", "a\x85b", "tab\there"]
)
def test_hostile_value_stays_on_one_line_and_shows_its_escapes(hostile: str) -> None:
    stream, logger = _written("text")
    logger.warning("refused", name=hostile)
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text[:-1].isprintable()


def test_value_with_blank_or_quote_is_quoted() -> None:
    stream, logger = _written("text")
    logger.info("x", a="two words", b='say "hi"', c="")
    assert stream.getvalue().endswith('a="two words" b="say \\"hi\\"" c=""\n')


def test_json_line_is_one_object_with_typed_fields() -> None:
    stream, logger = _written("json")
    logger.error("lost", attempts=3, up=False, error=ValueError("no\n"))
    entry = json.loads(stream.getvalue())
    assert entry.pop("time").endswith("Z")
    assert entry == {
        "level": "error",
        "component": "registrar",
        "event": "lost",
        "attempts": 3,
        "up": False,
        "error": "no\n",
    }


def test_level_filters() -> None:
    stream, logger = _written("text", "warning")
    logger.debug("no")
    logger.info("no")
    logger.warning("yes")
    assert stream.getvalue().count("\n") == 1


@pytest.mark.parametrize("form", ["text", "json"])
def test_exception_carries_its_traceback(form: str) -> None:
    stream, logger = _written(form)
    try:
        raise ValueError("boom")
    except ValueError:
        logger.exception("component raised", component="x")
    assert "ValueError: boom" in stream.getvalue()
    assert "Traceback" in stream.getvalue()


def test_configuring_again_replaces_the_handler() -> None:
    first, logger = _written("text")
    second, _ = _written("json")
    logger.info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("\n") == 1
