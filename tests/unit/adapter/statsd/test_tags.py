import pytest

from adapter.statsd.tags import Styles, Tags

NAMES = [
    # name, what is left, labels, errors
    ("a", "a", {}, 0),
    ("a[k=v]b", "ab", {"k": "v"}, 0),
    ("a[k=v,l=w]", "a", {"k": "v", "l": "w"}, 0),
    ("a[]", "a", {}, 0),
    ("a[k=v,]", "a", {"k": "v"}, 0),
    ("a[k=v]#l=w", "a#l=w", {"k": "v"}, 0),
    ("a[k=v", "a[k=v", {}, 1),
    ("ak=v]", "ak=v]", {}, 1),
    ("a]b[c", "a]b[c", {}, 1),
    ("a#k=v,l=w", "a", {"k": "v", "l": "w"}, 0),
    ("a,k=v,l=w", "a", {"k": "v", "l": "w"}, 0),
    ("a#k=v#l", "a", {"k": "v#l"}, 0),
    ("a,k=v=w", "a", {"k": "v=w"}, 0),
    ("a,k=1,k=2", "a", {"k": "2"}, 0),
    ("a,", "a", {}, 0),
    ("a,k", "a", {}, 1),
    ("a,=v", "a", {}, 1),
    ("a,k=", "a", {}, 1),
    ("a,,k=v", "a", {"k": "v"}, 1),
    ("a,1k.b=ü", "a", {"_1k_b": "ü"}, 0),
    ("a,__name__=evil", "a", {}, 1),
    ("a,-_x=evil", "a", {}, 1),
    (",k=v", "", {"k": "v"}, 0),
]


@pytest.mark.parametrize(("name", "left", "labels", "errors"), NAMES)
def test_tags_in_names(name: str, left: str, labels: dict[str, str], errors: int) -> None:
    tags = Tags()
    assert tags.of_name(name, Styles()) == left
    assert tags.labels == labels
    assert tags.errors == errors


@pytest.mark.parametrize(
    ("section", "labels", "errors"),
    [
        ("k:v,l:w", {"k": "v", "l": "w"}, 0),
        ("#k:v,#l:w", {"k": "v", "l": "w"}, 0),
        ("k:v:w", {"k": "v:w"}, 0),
        ("k:v,", {"k": "v"}, 0),
        ("", {}, 0),
        ("k=v", {}, 1),
        ("#", {}, 1),
        ("k:,:v,,k:v", {"k": "v"}, 3),
        ("__name__:evil", {}, 1),
    ],
)
def test_tags_of_dogstatsd(section: str, labels: dict[str, str], errors: int) -> None:
    tags = Tags()
    tags.of_section(section)
    assert tags.labels == labels
    assert tags.errors == errors


@pytest.mark.parametrize(
    ("styles", "left"),
    [
        (Styles(signalfx=False), "a[k=v]"),
        (Styles(signalfx=False, librato=False), "a[k=v]#b"),
        (Styles(signalfx=False, librato=False, influxdb=False), "a[k=v]#b,c"),
    ],
)
def test_a_style_that_is_off_is_part_of_the_name(styles: Styles, left: str) -> None:
    assert Tags().of_name("a[k=v]#b,c", styles) == left
