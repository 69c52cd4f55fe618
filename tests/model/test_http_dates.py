"""HTTP dates in all three formats of RFC 9110 section 5.6.7."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyfw.model import dates

EXAMPLE = 784111777.0


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06-Nov-1994 08:49:37 GMT",
    ],
)
def test_all_formats_are_the_same_moment(text: str) -> None:
    assert dates.parse_date(text) == EXAMPLE


def test_two_digits_of_a_year_are_in_this_century_below_seventy() -> None:
    assert dates.parse_date("Friday, 20-Nov-26 00:00:00 GMT") == dates.parse_date(
        "Fri, 20 Nov 2026 00:00:00 GMT"
    )


@pytest.mark.parametrize("text", ["", "0", "-1", "yesterday", "Sun, 06 Foo 1994 08:49:37 GMT", "a b c d:e f"])
def test_what_is_no_date_is_none_and_does_not_move(text: str) -> None:
    assert dates.parse_date(text) is None
    assert dates.moved(text, 60) == text


@given(st.integers(0, 4102444800))
def test_round_trip(timestamp: int) -> None:
    assert dates.parse_date(dates.format_date(timestamp)) == timestamp
