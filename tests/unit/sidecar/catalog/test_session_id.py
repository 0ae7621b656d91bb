"""What is an id of a session; texts recorded from Consul 1.8.7."""

import pytest

from sidecar.catalog.session_id import canonical, checked_id
from sidecar.errors import ApiError

ID = "17ad305c-f4f6-1df3-56b4-232338060386"


@pytest.mark.parametrize("written", [ID, ID.upper(), "17ad-305cf4f6-1df3-56b4-232338060386"])
def test_however_it_is_written_an_id_is_the_same(written: str) -> None:
    assert checked_id(written) == canonical(written) == ID


@pytest.mark.parametrize("odd", ["1" * 36, "-" + "1" * 34 + "-"])
def test_too_many_digits_are_an_id_that_nobody_has(odd: str) -> None:
    assert checked_id(odd) == odd


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (ID[:-1], "UUID must be 36 characters"),
        ("-" * 36, 'UUID should have maximum of 4 "-"; got 36'),
        (ID.replace("-", "x", 1), "Input (without hyphens) must be even length"),
        (ID[:-1] + "g", "Invalid UUID: encoding/hex: invalid byte: U+0067 'g'"),
        ("1" * 34 + "ñ", "Invalid UUID: encoding/hex: invalid byte: U+00C3 'Ã'"),
        ("1" * 35 + "\0", "Invalid UUID: encoding/hex: invalid byte: U+0000"),
    ],
)
def test_what_has_not_the_form_of_one_is_refused(wrong: str, text: str) -> None:
    with pytest.raises(ApiError) as caught:
        checked_id(wrong)
    assert (caught.value.status, str(caught.value)) == (
        500,
        f"failed session lookup: index error: {text}",
    )


def test_no_id_is_missing() -> None:
    with pytest.raises(ApiError, match="missing session"):
        checked_id("")
