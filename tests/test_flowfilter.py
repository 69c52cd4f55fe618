"""The filter language: precedence, quoting, positions of errors (5.6.115), printing, and how it is called."""

from __future__ import annotations

import pickle

import pytest

import proxyfw
from proxyfw import flowfilter
from proxyfw.exceptions import FilterError, ProxyfwError
from proxyfw.flowfilter import parse
from proxyfw.testing import http_flow, tcp_flow


def refusal(text: str) -> FilterError:
    with pytest.raises(FilterError) as refused:
        parse(text)
    return refused.value


# How it is called


def test_a_filter_is_a_function() -> None:
    wanted = parse("~m POST & ~c 5xx")
    assert wanted(http_flow(response=500)) is False
    flow = http_flow(response=503)
    flow.request.method = "POST"
    assert wanted(flow) is True


def test_match_takes_filters_text_and_none() -> None:
    flow = http_flow()
    assert flowfilter.match("~c 200", flow)
    assert not flowfilter.match(parse("~c 404"), flow)
    assert flowfilter.match(None, flow)
    with pytest.raises(ValueError, match="needs a status"):
        flowfilter.match("~c", flow)


@pytest.mark.parametrize("nothing", ["", " \t\n", None])
def test_nothing_is_no_filter(nothing: str | None) -> None:
    with pytest.raises(ValueError, match="the filter is empty"):
        parse(nothing)  # type: ignore[arg-type]  # scripts pass options that are unset
    if nothing is not None:
        with pytest.raises(ValueError, match="the filter is empty"):
            flowfilter.match(nothing, tcp_flow())


def test_the_same_text_is_parsed_once() -> None:
    assert parse("~u once") is parse("~u once")


def test_match_all() -> None:
    assert flowfilter.match_all(tcp_flow())
    wanted: flowfilter.TFilter = flowfilter.match_all
    assert isinstance(wanted, flowfilter.Filter)


def test_the_error_is_one_of_ours_and_a_value_error() -> None:
    error = refusal("~m GET ~c foo")
    assert isinstance(error, ValueError)
    assert isinstance(error, ProxyfwError)
    assert proxyfw.FilterError is FilterError
    assert (error.text, error.position) == ("~m GET ~c foo", 10)
    assert str(error) == f"{error.reason}\n    ~m GET ~c foo\n              ^"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_caret_stays_below_its_place_whatever_the_text() -> None:
    _, shown, caret = str(refusal("~m GET\n&\x1b2J\t~c foo")).splitlines()
    assert shown == "    ~m GET & 2J ~c foo"
    assert shown[caret.index("^") :] == "foo"


# Precedence


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("~m GET | ~m POST & ~d x", "~m GET | (~m POST & ~d x)"),
        ("~m GET | ~m POST ~d x", "~m GET | (~m POST & ~d x)"),
        ("~m GET & ~m POST | ~d x", "(~m GET & ~m POST) | ~d x"),
        ("~m GET ~m POST | ~d x", "(~m GET & ~m POST) | ~d x"),
        ("!~q ~e", "(!~q) & ~e"),
        ("!~q | ~e", "(!~q) | ~e"),
        ("!~q & ~e", "(!~q) & ~e"),
        ("! ! ~q", "!(!~q)"),
        ("~q ~s & ~e ~a", "~q & ~s & ~e & ~a"),
        ("(~q)", "~q"),
        ("((~q)|(~s))", "~q | ~s"),
        ("~q & (~s & ~e)", "(~q & ~s) & ~e"),
        ("~q|~s", "~q | ~s"),
        ("~q&~s", "~q & ~s"),
        ("~q(~s)", "~q & ~s"),
        ("(~q)~s", "~q & ~s"),
        ("!(~q)", "!~q"),
        ("\t~q\n|\r~s ", "~q | ~s"),
    ],
)
def test_precedence(text: str, meaning: str) -> None:
    """Not before and before or; leaving the sign out means and."""
    assert parse(text) == parse(meaning)


def test_brackets_count_where_they_mean_something() -> None:
    assert parse("~q & (~s | ~e)") != parse("~q & ~s | ~e")
    assert parse("!(~q & ~s)") != parse("!~q & ~s")


# Words and quotes


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("~u example", "example"),
        ("example", "example"),
        ("~u a|b", "a|b"),
        ("a|b&c!", "a|b&c!"),
        (r"~u \d+\.png$", r"\d+\.png$"),
        ("~u 'two words'", "two words"),
        ('"two words"', "two words"),
        ('~u"glued"', "glued"),
        ("~u 'get(a|b)'", "get(a|b)"),
        (r'~u "\.png"', r"\.png"),
        (r'~u "\\.png"', r"\.png"),
        (r'~u "say \"hi\""', 'say "hi"'),
        (r"~u 'it\'s'", "it's"),
        (r'~u "it\'s"', "it's"),
        (r'~u "\\\\host"', r"\\host"),
        ('~u ""', ""),
        ("~u and", "and"),
        ("'and'", "and"),
        ("~u grüße", "grüße"),
    ],
)
def test_words_and_quotes(text: str, pattern: str) -> None:
    found = parse(text)
    assert isinstance(found, flowfilter.Filter)
    assert getattr(found, "argument") == pattern  # noqa: B009 - of the one operator
    assert parse(str(found)) == found


# What is refused, and where


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("~u", "", "~u needs a pattern"),
        ("~m GET & ~u", "", "~u needs a pattern"),
        ("~u & ~m GET", "& ~m GET", "~u needs a pattern; put it in quotes if"),
        ("~u ~m GET", "~m GET", "~u needs a pattern"),
        ("~u (a|b)", "(a|b)", "~u needs a pattern"),
        ("~b !important", "!important", "~b needs a pattern; put it in quotes if"),
        ("(~u)", ")", "~u needs a pattern"),
        ("~json", "", "~json needs a path, as in $.user.id"),
        ("~metha GET", "~metha GET", "unknown operator ~metha; did you mean ~meta?"),
        ("~websockets", "~websockets", "did you mean ~websocket?"),
        ("~method GET", "~method GET", "did you mean ~m?"),
        ("~URL x", "~URL x", "did you mean ~u?"),
        ("~zzz", "~zzz", "unknown operator ~zzz"),
        ("~c404", "~c404", "unknown operator ~c404: write a space after ~c"),
        ("~u=x", "~u=x", "write a space after ~u"),
        ("~ u", "~ u", "the name of an operator is missing"),
        ("~q & (~s | ~e", "(~s | ~e", "this bracket is never closed"),
        ("~q)", ")", "no bracket is open"),
        ("~q &)", ")", "no bracket is open"),
        (")", ")", "no bracket is open"),
        ("()", ")", "something is missing after ("),
        ("(~q |)", ")", "something is missing after |"),
        ("~q |", "", "something is missing after |"),
        ("| ~q", "| ~q", "something is missing before |"),
        ("~q | | ~s", "| ~s", "something is missing after |"),
        ("!", "", "something is missing after !"),
        ("~q && ~s", "&& ~s", "write a single &, not &&"),
        ("~q || ~s", "|| ~s", "write a single |, not ||"),
        ("~q and ~s", "and ~s", "write &, or, for URLs with this word, ~u and"),
        ("not ~s", "not ~s", "write !"),
        ("~c != 4", "!= 4", "!= has no place here"),
        ("~u 'open", "'open", "this quote is never closed: a ' is missing"),
        (r'~u "open\"', r'"open\"', 'this quote is never closed: a " is missing'),
        ("~u get(a|b)", "(a|b)", "( ends a word: put quotes around all of it"),
        ("~u /~user", "~user", "~ ends a word"),
        ("~u it's", "'s", "' ends a word"),
        ("'a'b", "b", "a space is missing after the quote"),
        ("~u [a", "[a", "'[a' is not a regular expression: unterminated character set"),
        ("~u a**", "*", "multiple repeat"),
        ("~u 'a**'", "*'", "multiple repeat"),
        (r"~u 'a\'**'", r"'a\'**'", "multiple repeat"),
        ("~b a{99999999999999999999}", "a{99999999999999999999}", "not a regular expression"),
        ("~b '(?L)a'", ")a'", "not a regular expression"),
        ("~h 'ü('", "('", "missing ), unterminated subpattern"),
        ("~c foo", "foo", "'foo' is not a status: write 404, 4xx, 500-599"),
        ("~c 99", "99", "not a status"),
        ("~c 1000", "1000", "not a status"),
        ("~c 4xx,5yx", "5yx", "'5yx' is not a status"),
        ("~c 200,", "", "a number is missing here"),
        ("~c 5xx-4xx", "5xx-4xx", "write the lower number first"),
        ("~c >4xx", ">4xx", "> goes with one number"),
        ("~c <=400-500", "<=400-500", "<= goes with one number"),
        ("~c 400-500-600", "400-500-600", "'400-500-600' is not a status"),
        ("~c 404 500", "500", "if this belongs to ~c, write it without spaces"),
        ("~c 500 - 599", "- 599", "if this belongs to ~c"),
        ("~c >", ">", "'>' is not a status"),
        ("~size 10x", "10x", "'10x' is not a size: write 0, >10k"),
        ("~size -1", "-1", "'-1' is not a size"),
        ("~dur 500ms", "500ms", "no time is exactly 500ms: write >500ms or <500ms"),
        ("~dur >500", ">500", "'500' is not a time: write >500ms, <2s"),
        ("~age <5y", "<5y", "not a time"),
        ("~port 65536", "65536", "'65536' is not a port"),
        ("~port https", "https", "'https' is not a port"),
        ("~version 4", "4", "'4' is not a version of HTTP"),
        ("~json user.id", "user.id", "a JSON path begins with $"),
        ("~json $.a = 3", "= 3", "if this belongs to ~json"),
        ("~json $.a[x]", "[x]", "a path goes on with .name"),
        ("~json $a", "a", "a path goes on with .name"),
        ("~json '$.a ='", "'", "a value is missing after ="),
        ("~json '$.a = [1]'", "[1]'", "compare with a number, a string"),
        ("~json '$.a > true'", "true'", "> compares numbers or strings"),
        ("~json '$.a ~ b['", "['", "unterminated character set"),
        ("(" * 51 + "~q" + ")" * 51, "(" + "~q" + ")" * 51, "more than 50 levels of brackets"),
        ("!" * 5000 + "~q", "!" * 4950 + "~q", "more than 50 levels"),
    ],
)
def test_what_is_refused_and_where(text: str, place: str, reason: str) -> None:
    """5.6.115: the caret is where *place*, the rest of the text, begins."""
    error = refusal(text)
    assert reason in error.reason
    assert text[error.position :] == place
    assert text in str(error)


def test_stray_numbers_are_urls_where_that_is_said() -> None:
    assert parse("~c 404 & 127.0.0.1") == parse("~c 404 ~u 127.0.0.1")


# Printing


@pytest.mark.parametrize(
    ("text", "printed", "english"),
    [
        ("POST", "~u POST", "URL matches 'POST'"),
        ("~m POST ~c 5xx", "~m POST & ~c 5xx", "method matches 'POST' and status is 5xx"),
        (
            "(~q | ~e) !(~d a | ~d b)",
            "(~q | ~e) & !(~d a | ~d b)",
            "(response is missing or flow has an error) and not (host matches 'a' or host matches 'b')",
        ),
        ("~q ~e | ~a", "~q & ~e | ~a",
         "(response is missing and flow has an error) or response is an asset"),
        ("!~u x", "!~u x", "URL does not match 'x'"),
        ("!!~q", "!!~q", "response is missing"),
        ("!~e", "!~e", "flow does not have an error"),
        ("!(~q)", "!~q", "response is not missing"),
        ("~c '404, 5XX ,200-299'", "~c 404,5xx,200-299", "status is 404 or 5xx or 200 to 299"),
        ("~size > 10K", "~size >10k", "size is above 10k"),
        ("~size <=1m", "~size <=1m", "size is at most 1m"),
        ("~size =0", "~size =0", "size is 0"),
        ("~dur >=1s", "~dur >=1s", "duration is at least 1s"),
        ("~port <1024", "~port <1024", "server port is below 1024"),
        ("~json '$.a = 1'", '~json "$.a = 1"', "JSON has $.a = 1"),
        (r'~u "a b\.c"', r'~u "a b\.c"', r"URL matches 'a b\\.c'"),
        ("""~u 'say "hi"'""", """~u 'say "hi"'""", """URL matches 'say "hi"'"""),
    ],
)  # fmt: skip
def test_printing(text: str, printed: str, english: str) -> None:
    found = parse(text)
    assert str(found) == printed
    assert parse(printed) == found
    assert found.describe() == english


def test_equal_filters_are_one_key() -> None:
    assert len({parse("~q & ~s"), parse("~q ~s"), parse("((~q)&(~s))")}) == 1
    assert parse("~q") != parse("~s")
    assert parse("~q") != "~q"
    assert repr(parse("~q ~s")) == "<Filter ~q & ~s>"
