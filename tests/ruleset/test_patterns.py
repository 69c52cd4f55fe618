"""The wildcard rule of rules: globs, regular expressions, hosts."""

from __future__ import annotations

import pytest

from proxyfw.rules import Pattern, host_key
from proxyfw.ruleset.patterns import PathPattern


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("*", "", ("",)),
        ("api", "api", ()),
        ("API", "api", ()),
        ("api", "api/users", None),
        ("*api*", "an api/users", ("an ", "/users")),
        ("a?b", "a?b", ()),
        ("a?b", "axb", None),
        ("a.b", "axb", None),
        ("*.example.com", "a.b.example.com", ("a.b",)),
        ("*.example.com", "example.com", None),
        ("*.example.com", "evilexample.com", None),
        ("a*c", "a\nb/c", ("\nb/",)),
        ("/us.rs/", "the users", ()),
        ("/US(E)RS/i", "the users", ("e",)),
        ("/USERS/", "the users", None),
        ("/a(b)?c/", "ac", ("",)),
    ],
)
def test_what_a_pattern_finds(pattern: str, text: str, found: tuple[str, ...] | None) -> None:
    """features 9, 10, 11."""
    assert Pattern(pattern).find(text) == found
    assert Pattern(pattern)(text) is (found is not None)


@pytest.mark.parametrize(
    ("pattern", "is_regex"),
    [
        ("/users/", False),
        ("/api/v1.0/", False),
        (r"/users\/\d+/", True),
        ("/users/i", True),
        ("/api/v1", False),
    ],
)
def test_a_path_between_slashes_is_a_path_unless_it_has_signs_of_an_expression(
    pattern: str, is_regex: bool
) -> None:
    assert PathPattern(pattern).is_regex is is_regex


def test_an_expression_that_cannot_be_read_says_where() -> None:
    with pytest.raises(ValueError, match=r"/a\(b/i is not a regular expression: .* at character 2"):
        Pattern("/a(b/i")


def test_patterns_that_are_written_alike_are_equal() -> None:
    assert Pattern("a*") == Pattern("a*")
    assert Pattern("a*") != Pattern("b*")
    assert Pattern("a*") != "a*"
    assert len({Pattern("a"), Pattern("a")}) == 1
    assert str(Pattern("/x/i")) == "/x/i"
    assert "a*" in repr(Pattern("a*"))


@pytest.mark.parametrize(
    ("host", "key"), [("Example.COM.", "example.com"), ("[::1]", "::1"), ("::1", "::1"), ("", "")]
)
def test_hosts_are_compared_without_what_makes_no_difference(host: str, key: str) -> None:
    assert host_key(host) == key
