"""How targets of quoting read words, by their own rules; the real ones are asked elsewhere."""

__all__ = ["haproxy_words", "nginx_words"]

_HAPROXY = {"n": "\n", "r": "\r", "t": "\t"}


def haproxy_words(line: str) -> list[str]:
    """Return the words of a line (HAProxy's manual, 2.2): quotes, backslashes, comments."""
    words: list[str] = []
    word: str | None = None
    quote, at = "", 0
    while at < len(line):
        char = line[at]
        at += 1
        if quote == "'":
            if char == "'":
                quote = ""
            else:
                word = (word or "") + char
        elif char == "\\" and at < len(line):
            word = (word or "") + _HAPROXY.get(line[at], line[at])
            at += 1
        elif char == '"':
            quote, word = ("" if quote else '"'), word or ""
        elif quote:
            word = (word or "") + char
        elif char == "'":
            quote, word = "'", word or ""
        elif char == "#":
            break
        elif char in " \t":
            if word is not None:
                words.append(word)
            word = None
        else:
            word = (word or "") + char
    assert not quote, "a quote without end"
    return words if word is None else [*words, word]


def nginx_words(text: str) -> list[str]:
    """Return the words up to the first ``;`` (the reader of nginx's configuration)."""
    words: list[str] = []
    at = 0
    while True:
        while text[at] in " \t\r\n":
            at += 1
        if text[at] == ";":
            assert at + 1 == len(text), "another statement begins"
            return words
        assert text[at] not in "{}#", "this is no word"
        word = ""
        quote = text[at] if text[at] in "\"'" else ""
        at += len(quote)
        while (text[at] != quote) if quote else (text[at] not in " \t\r\n;{"):
            if text[at] == "\\":
                at += 1
                word += {"t": "\t", "r": "\r", "n": "\n"}.get(
                    text[at], text[at] if text[at] in "\"'\\" else "\\" + text[at]
                )
            else:
                word += text[at]
            at += 1
        at += len(quote)
        assert not quote or text[at] in " \t\r\n;", "a quoted word must end there"
        words.append(word)
