import pytest

from adapter.documents import Node, document
from sidecar.errors import ConfigError


def mistakes(text: str, read: object) -> list[str]:
    root, problems = document(text, "f.yml")
    assert callable(read)
    read(root)
    with pytest.raises(ConfigError) as caught:
        problems.check()
    return list(caught.value.problems)


def root_of(text: str) -> Node:
    return document(text, "f.yml")[0]


def test_values_are_read_as_what_they_should_be() -> None:
    root = root_of("a: x\nb: 1.5\nc: yes\nd: 90s\ne: [1, 2]\nf: {k: v}\ng: 7\nh: ~\n")
    fields = root.fields([*"abcdefghi"])
    assert fields["a"].text() == "x"
    assert fields["b"].number(0) == 1.5
    assert fields["c"].truth()
    assert fields["d"].duration(0) == 90
    assert fields["e"].each(lambda node: node.number(0)) == [1, 2]
    assert [(key, node.text()) for key, node in fields["f"].items()] == [("k", "v")]
    assert fields["g"].whole(0) == 7
    assert fields["g"].line == 7
    assert not fields["h"]
    assert not fields["i"]
    assert list(fields["i"].items()) == []
    assert list(fields["i"].elements()) == []


def test_what_is_absent_gives_the_default() -> None:
    node = root_of("").fields(["a"])["a"]
    assert node.text("t") == "t"
    assert node.choice(["x"], "x") == "x"
    assert node.truth(default=True)
    assert node.number(2) == 2
    assert node.whole(3) == 3
    assert node.duration(4) == 4
    assert node.line == 0


def test_a_mapping_takes_over_the_keys_of_others_that_it_has_not_itself() -> None:
    root = root_of(
        "a: &a {x: 1, y: 2}\nb: &b {<<: *a, y: 3, z: 4}\nc: {z: 5, <<: [*a, *b]}\nd: {<<: *b}\n"
    )
    for key, expected in [("b", [1, 3, 4]), ("c", [1, 2, 5]), ("d", [1, 3, 4])]:
        fields = root.fields([*"abcd"])[key].fields([*"xyz"])
        assert [fields[name].number(0) for name in "xyz"] == expected


def test_keys_that_are_taken_over_are_looked_at_as_others() -> None:
    text = "a: &a {x: 1, q: 2}\nb: {<<: *a}\nc: &c {<<: *c, x: 1}\nd: {<<: 5}\n"
    found = mistakes(text, lambda root: [root.fields([*"abcd"])[k].fields(["x"]) for k in "bcd"])
    assert found == [
        "f.yml:1:14: b: unknown key 'q'",
        "f.yml:4:5: d: << wants a mapping, or a list of them",
    ]


def test_the_keys_of_many_are_taken_over_in_no_time() -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 60)]
    fields = root_of("\n".join(lines)).fields([f"a{n}" for n in range(60)])
    assert fields["a59"].fields(["x"])["x"].number(0) == 1


@pytest.mark.parametrize(("text", "value"), [("1e3", 1000), ("0x10", 16), (".inf", float("inf"))])
def test_numbers_in_every_form(text: str, value: float) -> None:
    assert root_of(f"a: {text}").fields(["a"])["a"].number(0) == value


def test_nothing_is_a_duration_of_nothing() -> None:
    assert root_of("a: 0").fields(["a"])["a"].duration(5) == 0


@pytest.mark.parametrize(
    ("text", "method", "message"),
    [
        ("a: [1]", "text", "f.yml:1:4: a: must be text"),
        ("a: maybe", "truth", "f.yml:1:4: a: must be true or false"),
        ("a: x", "number", "f.yml:1:4: a: must be a number"),
        ("a: [1]", "number", "f.yml:1:4: a: must be a number"),
        ("a: 1.5", "whole", "f.yml:1:4: a: must be a whole number of at least 0"),
        ("a: .nan", "whole", "f.yml:1:4: a: must be a whole number of at least 0"),
        ("a: 60", "duration", "is not a duration; write for example 30s or 1m20s"),
        ("a: -1s", "duration", "must not be negative"),
        ("a: b", "elements", "must be a list"),
        ("a: [b]", "items", "must be a mapping"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, method: str, message: str) -> None:
    def read(root: Node) -> None:
        node = root.fields(["a"])["a"]
        if method in ("number", "whole", "duration"):
            getattr(node, method)(0)
        else:
            found = getattr(node, method)()
            if method in ("elements", "items"):
                list(found)

    (problem,) = mistakes(text, read)
    assert message in problem


def test_a_word_that_is_no_choice_is_told_with_the_choices() -> None:
    (problem,) = mistakes("a: y", lambda root: root.fields(["a"])["a"].choice(["x", "z"], "x"))
    assert problem == "f.yml:1:4: a: 'y' is none of x, z"


def test_unknown_and_repeated_keys_are_mistakes() -> None:
    found = mistakes("name: 1\nnmae: 2\nname: 3\n? [x]\n: 1\n", lambda root: root.fields(["name"]))
    assert found == [
        "f.yml:2:1: unknown key 'nmae'; did you mean name?",
        "f.yml:3:1: key 'name' is given twice",
        "f.yml:4:3: unknown key ''",
    ]


def test_repeated_free_keys_are_mistakes() -> None:
    found = mistakes("a: {x: 1, x: 2}", lambda root: list(root.fields(["a"])["a"].items()))
    assert found == ["f.yml:1:11: a: key 'x' is given twice"]


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\ta: 1", "a: 1\n---\nb: 2", "a: \x00"])
def test_what_is_no_yaml_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        document(text, "f.yml")
    assert caught.value.problems[0].startswith("f.yml")


def test_deep_nesting_is_refused_and_not_followed() -> None:
    with pytest.raises(ConfigError):
        document("[" * 100_000, "f.yml")


def test_an_alias_to_itself_is_only_followed_where_keys_are_known() -> None:
    root = root_of("a: &a [*a]")
    (element,) = root.fields(["a"])["a"].elements()
    assert element.path == "a[0]"
