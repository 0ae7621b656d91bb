import pytest

from adapter.statsd.templates import GlobTemplate


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain", "plain"),
        ("$1", "A"),
        ("${2}x", "Bx"),
        ("x_$1.${2}_", "x_A.B_"),
        ("x_$1.$2_", "x_A."),
        ("$1.$1", "A.A"),
        ("$0-$3-$99999", "--"),
        ("$foo", ""),
        ("$1_$2", ""),  # one reference, to a capture of that name
        ("${1}_$2", "A_B"),
        ("100%_$1", "100%_A"),  # the peer: 100%!_(string=A)
        ("$", "$"),
        ("$x%s", "%s"),
    ],
)
def test_references_are_filled_and_those_that_lead_nowhere_are_no_text(
    template: str, expected: str
) -> None:
    assert GlobTemplate(template, 2).filled(("A", "B")) == expected
