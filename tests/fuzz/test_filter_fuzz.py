"""Filters: any text gives a filter or the filter error, what is printed is read again, Boolean laws hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyfw.exceptions import FilterError
from proxyfw.flow import Flow
from proxyfw.flowfilter import OPERATORS, Filter, parse
from proxyfw.http import Request, Response
from proxyfw.testing import http_flow, tcp_flow, websocket_flow

FLOWS: list[Flow] = [
    http_flow(),
    http_flow(Request.make("POST", "https://a.b/c", b'{"a": 1}'), Response.make(404, "x", {"A": "b"})),
    http_flow("http://b.example/", None, marked="a", comment="b"),
    http_flow("http://b.example/", error="a"),
    websocket_flow((True, "a"), (False, b"b")),
    tcp_flow((True, b"a")),
]

anything = st.text(st.characters(), max_size=40)
pieces = st.sampled_from([
    *(operator.name for operator in OPERATORS), *"()!&|~'\"\\ \t<>=,-.$[]*", " ", " ", "a", "4xx", "404",
    "10k", "1s", "x|y", "$.a", "\x00", "ü", "and", "\ud800", "(?i)", "{2}",
])  # fmt: skip
likely = st.lists(pieces, max_size=12).map("".join)

words = st.text(st.characters(exclude_characters="\0"), max_size=8)


def in_quotes(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@st.composite
def operations(draw: st.DrawFn) -> str:
    operator = draw(st.sampled_from(OPERATORS))
    arguments = {
        "": st.just(""),
        "regex": words.map(lambda text: in_quotes("".join(f"[{c}]" if c.isalnum() else "." for c in text))),
        "status": st.sampled_from(["404", "4xx", "> 200", "200-404,5xx"]),
        "size": st.sampled_from(["0", ">1", "1k-2k"]),
        "time": st.sampled_from([">1s", "< 1h"]),
        "port": st.sampled_from(["80", ">=443"]),
        "version": st.sampled_from(["1", "1.1,2"]),
        "path": st.sampled_from(["$.a", "'$..* = 1'", "$[0]"]),
    }
    return f"{operator.name} {draw(arguments[operator.argument])}"


expressions = st.recursive(
    operations() | st.just("~q") | st.just("~all"),
    lambda inner: st.one_of(
        inner.map("!{}".format),
        inner.map("({})".format),
        st.tuples(inner, inner).map(" ".join),
        st.tuples(inner, inner).map(" & ".join),
        st.tuples(inner, inner).map(" | ".join),
    ),
    max_leaves=8,
)


@given(anything | likely)
def test_any_text_is_a_filter_or_the_filter_error(text: str) -> None:
    found = read(text)
    if isinstance(found, FilterError):
        assert 0 <= found.position <= len(text)
        assert str(found).count("\n") == 2
        assert str(found).encode()
    else:
        assert parse(str(found)) == found
        assert found.describe()
        assert all(found(flow) in (True, False) for flow in FLOWS)


def read(text: str) -> Filter | FilterError:
    try:
        return parse(text)
    except FilterError as refusal:
        return refusal


@given(words)
def test_any_pattern_can_be_quoted(text: str) -> None:
    # A comment of this text is found by it, if it is no regular expression in itself.
    escaped = "".join(c if c.isalnum() else f"[\\{c}]" if c in "\\[]^-" else f"[{c}]" for c in text)
    wanted = parse(f"~comment {in_quotes(escaped)}")
    assert wanted(http_flow(comment=text)) is bool(text)
    assert parse(str(wanted)) == wanted


@given(expressions)
def test_what_is_printed_means_the_same(text: str) -> None:
    found = parse(text)
    again = parse(str(found))
    assert again == found
    assert hash(again) == hash(found)
    assert again.describe() == found.describe()
    assert [again(flow) for flow in FLOWS] == [found(flow) for flow in FLOWS]


def table(text: str) -> list[bool]:
    wanted = parse(text)
    assert isinstance(wanted, Filter)
    return [wanted(flow) for flow in FLOWS]


@given(expressions, expressions, expressions)
def test_boolean_algebra(x: str, y: str, z: str) -> None:
    a, b, c = f"({x})", f"({y})", f"({z})"
    assert table(f"!!{a}") == table(a)
    assert (
        table(f"{a} {b}") == table(f"{b} & {a}") == [p and q for p, q in zip(table(a), table(b), strict=True)]
    )
    assert (
        table(f"{a} | {b}")
        == table(f"{b} | {a}")
        == [p or q for p, q in zip(table(a), table(b), strict=True)]
    )
    assert table(f"!({a} & {b})") == table(f"!{a} | !{b}")
    assert table(f"!({a} | {b})") == table(f"!{a} & !{b}")
    assert table(f"{a} & ({b} | {c})") == table(f"{a} {b} | {a} {c}")
    assert table(f"{a} | {b} & {c}") == table(f"({a} | {b}) & ({a} | {c})")
    assert table(f"({a} & {b}) & {c}") == table(f"{a} & ({b} & {c})")
    assert not any(table(f"{a} & !{a}"))
    assert all(table(f"{a} | !{a}"))


@pytest.mark.parametrize("text", ["[[a]", "[+--b]", "[a&&b]", "[a||b]", "[a~~b]"])
def test_sets_that_python_warns_of(text: str) -> None:
    assert parse(f"~u {in_quotes(text)}")
