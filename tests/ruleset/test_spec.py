"""Specs: rules as one line, cut at their first character."""

from __future__ import annotations

import pytest

from proxyfw.exceptions import OptionsError
from proxyfw.rules import split_spec

MAP = "/[filter/]url-regex/path"


@pytest.mark.parametrize(
    ("form", "spec", "parts"),
    [
        (MAP, "|~m GET|example|/srv/www", ("~m GET", "example", "/srv/www")),
        (MAP, "|example|/srv/www", ("", "example", "/srv/www")),
        (MAP, "|~m GET|example|/srv|www", ("~m GET", "example", "/srv|www")),
        (MAP, ":example:", ("", "example", "")),
        ("/filter/status", "/~d ads/404", ("~d ads", "404")),
    ],
)
def test_specs_are_cut_at_their_first_character(form: str, spec: str, parts: tuple[str, ...]) -> None:
    assert split_spec("option", spec, form) == parts


@pytest.mark.parametrize("spec", ["", "|", "|only", "example|x|y", "1a1b1c", " a b c"])
def test_what_is_not_a_spec_is_refused_with_the_form(spec: str) -> None:
    with pytest.raises(OptionsError) as caught:
        split_spec("map_local", spec, MAP)
    assert str(caught.value) == (
        f"map_local: {spec!r} is not a spec: write {MAP}; any character may stand for /"
    )


def test_a_filter_that_cannot_be_read_is_shown() -> None:
    with pytest.raises(OptionsError, match=r"map_local: the filter in '\|~x\|a\|b' cannot be read: "):
        split_spec("map_local", "|~x|a|b", MAP)
