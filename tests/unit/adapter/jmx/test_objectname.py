import pytest

from adapter.jmx.objectname import parse, parse_pattern


def test_properties_keep_their_order_and_quotes() -> None:
    name = parse('d:z=1,type=T,name="a,b=c:d\\"\\*"')
    assert name.domain == "d"
    assert [*name.properties.items()] == [("z", "1"), ("type", "T"), ("name", '"a,b=c:d\\"\\*"')]
    assert [*name.type_first().properties] == ["type", "z", "name"]
    plain = parse("d:a=1")
    assert plain.type_first() is plain
    assert parse("d:a=1,b=2").key == parse("d:b=2,a=1").key


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nocolon", "no colon"),
        ("d:", "no key=value"),
        ("d:a", "no key=value"),
        ("d:a=1,", "comma"),
        ("d:a=1,a=2", "twice"),
        ('d:a="x"y', "no comma"),
        ("d:*", "no key=value"),
        ("d:a=1,,b=2", "no key=value"),
    ],
)
def test_what_is_no_name_is_told(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text)


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*:*", "d:a=1", True),
        ("d:*", "d:a=1,b=2", True),
        ("d:a=1", "d:a=1", True),
        ("d:a=1", "d:a=1,b=2", False),
        ("d:a=1,*", "d:a=1,b=2", True),
        ("d:*,a=1", "d:b=2,a=1", True),
        ("d:b=2,a=1", "d:a=1,b=2", True),
        ("d?:a=*", "d1:a=xyz", True),
        ("d?:a=*", "d:a=xyz", False),
        ("d:a=x?z", "d:a=xyz", True),
        ("d:a=x.z", "d:a=xyz", False),
        ("d:c=1,*", "d:a=1", False),
        ('d:a="x\\*",*', 'd:a="x\\*"', True),
        ('d:a="x\\*",*', 'd:a="xy"', False),
        # As Java's ObjectName.apply says: outside of quotes a backslash is a character, and inside
        # it only counts for whether there is a pattern at all.
        ("d:a=x\\*", "d:a=x\\zz", True),
        ("d:a=x\\*", "d:a=xzz", False),
        ("d:a=x\\**", "d:a=x\\", True),
        ('d:a="x\\*y*"', 'd:a="x\\\\zy1"', True),
        ('d:a="x\\\\*"', 'd:a="x\\\\q"', True),
        ('d:a="x*"', 'd:a="xy"', True),
    ],
)
def test_patterns_match_as_in_java(pattern: str, name: str, matches: bool) -> None:
    found, fits = parse_pattern(pattern)
    assert fits(parse(name)) is matches
    assert found.text == pattern
