"""Rules that modify bodies: in their charset and encoding, with a length that is right, or not at all."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow, Request, Response
from proxyfw.rules import RuleBook
from proxyfw.testing import http_flow
from proxyfw_addons.modify import ModifyRequest, ModifyResponse

URL = "http://example.com/a"
HTML = {"Content-Type": "text/html"}
CODINGS = ["identity", "gzip", "deflate", "br", "zstd", "br, gzip"]


def book(action: dict[str, Any], base: Path | None = None) -> RuleBook:
    made = RuleBook()
    made.define("modify_request", ModifyRequest)
    made.define("modify_response", ModifyResponse)
    made.provide("test", made.read([{"name": "it", "action": action}], base))
    return made


def answered(response: Response, base: Path | None = None, method: str = "GET", **action: Any) -> HTTPFlow:
    """A flow whose response a rule has modified."""
    rules = book({"type": "modify_response", **action}, base).current
    flow = http_flow(Request.make(method, URL), response)
    for hook in ("responseheaders", "response"):
        assert rules.run(hook, (flow,)) is None
    return flow


def requested(request: Request, **action: Any) -> HTTPFlow:
    flow = http_flow(request, response=None)
    assert book({"type": "modify_request", **action}).current.run("request", (flow,)) is None
    return flow


def response_of(flow: HTTPFlow) -> Response:
    assert flow.response
    assert flow.response.raw_content is not None
    length = flow.response.headers.get("content-length")
    assert length in (None, str(len(flow.response.raw_content)))
    return flow.response


def noted(flow: HTTPFlow) -> list[str]:
    return [step.detail for step in flow.trace or () if step.phase == "note"]


def encoded(content: bytes, coding: str, content_type: str = "text/html") -> Response:
    response = Response.make(200, content, {"Content-Type": content_type})
    response.encode(coding)
    return response


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize(
    "action",
    [
        {"body": "new"},
        {"substitute": {"regex": "old", "replacement": "new"}},
        {"inject": {"html": "new", "at": "body_end"}},
    ],
)
def test_a_body_keeps_its_encoding_and_has_the_right_length(coding: str, action: dict[str, Any]) -> None:
    """Features 27, mitmproxy 5.6.107."""
    response = response_of(answered(encoded(b"<body>old</body>", coding), **action))
    assert response.headers["content-encoding"] == coding
    assert "new" in (response.text or "")
    assert response.raw_content != response.content or coding == "identity"


def test_groups_of_a_regular_expression_are_put_in() -> None:
    r"""mitmproxy 5.6.107: ``\1`` is a group, not a control character."""
    replacement = r"\g<word>-\1-\x41\n\\x41"
    flow = answered(
        Response.make(200, "one two"), substitute={"regex": r"(?P<word>\w+)", "replacement": replacement}
    )
    assert response_of(flow).text == "one-one-A\n\\x41 two-two-A\n\\x41"
    assert noted(flow) == [r"body: 2 of (?P<word>\w+) replaced"]


def test_a_byte_that_is_a_backslash_begins_no_group() -> None:
    flow = answered(Response.make(200, "x"), substitute={"regex": "x", "replacement": r"\x5c1"})
    assert response_of(flow).text == r"\1"


def test_substitutions_run_in_their_order_across_lines_and_as_often_as_they_say() -> None:
    steps = [
        {"regex": "a.b", "replacement": "c"},
        {"regex": "c", "replacement": "d", "count": 1},
        {"regex": "(?i)D", "replacement": "e"},
    ]
    assert response_of(answered(Response.make(200, "a\nb c"), substitute=steps)).text == "e c"


def test_a_dollar_in_a_body_is_a_dollar() -> None:
    flow = answered(Response.make(200, "x"), body="$1 $$", substitute={"regex": "1", "replacement": "$1"})
    assert response_of(flow).text == "$$1 $$"


@pytest.mark.parametrize(
    ("content_type", "charset"),
    [
        ("text/plain", "utf-8"),
        ("text/plain", "latin-1"),
        ("text/plain; charset=iso-8859-15", "iso-8859-15"),
        ("text/plain; charset=utf-16", "utf-16"),
        ("text/html", "utf-8"),
        ("application/json", "utf-8"),
        ("text/plain; charset=utf-8", "latin-1"),
        ("text/plain; charset=nonsense", "latin-1"),
    ],
)
def test_text_stays_in_its_charset_and_what_is_not_edited_keeps_its_bytes(
    content_type: str, charset: str
) -> None:
    content = "é x é".encode(charset)
    flow = answered(
        Response.make(200, content, {"Content-Type": content_type}),
        substitute={"regex": "x", "replacement": "y"},
    )
    response = response_of(flow)
    assert response.content == "é y é".encode(charset)
    assert response.headers["content-type"] == content_type


@pytest.mark.parametrize("content", ["é".encode(), b"plain"])
def test_what_the_charset_lacks_is_written_in_one_that_has_it(content: bytes) -> None:
    flow = answered(
        Response.make(200, content, {"Content-Type": "text/plain"}),
        substitute={"regex": "$", "replacement": "→"},
    )
    assert response_of(flow).content == content + "→".encode()


def test_bytes_that_are_no_text_pass_through() -> None:
    content = bytes(range(256))
    flow = answered(
        Response.make(200, content, {"Content-Type": "image/png"}),
        substitute={"regex": r"\x89(.)", "replacement": r"\1"},
    )
    assert response_of(flow).content == content.replace(b"\x89", b"")


@pytest.mark.parametrize(
    ("content_type", "expected_type", "expected"),
    [
        ("text/html", "text/html; charset=utf-8", "é".encode()),
        ("text/html; charset=latin-1", "text/html; charset=latin-1", b"\xe9"),
        ("application/json", "application/json", "é".encode()),
        (None, "text/plain; charset=utf-8", "é".encode()),
    ],
)
def test_a_new_body_says_in_which_charset_it_is(
    content_type: str | None, expected_type: str, expected: bytes
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    response = response_of(answered(Response.make(200, b"old", headers), body="é"))
    assert (response.headers["content-type"], response.content) == (expected_type, expected)


def test_a_new_body_as_json_says_that_it_is() -> None:
    flow = answered(Response.make(200, b"<p>", HTML), json={"a": [1, None, "é"]})
    response = response_of(flow)
    assert response.headers["content-type"] == "application/json"
    assert response.content == '{"a":[1,null,"é"]}'.encode()
    assert response_of(answered(Response.make(200, b"<p>", HTML), json=None)).content == b"null"


def test_a_type_that_a_rule_sets_is_the_one_that_stays() -> None:
    flow = answered(
        Response.make(200, b"<p>", HTML), json=1, headers={"set": {"Content-Type": "application/problem"}}
    )
    assert response_of(flow).headers["content-type"] == "application/problem"


def test_a_file_is_read_again_each_time(tmp_path: Path) -> None:
    path = tmp_path / "body.bin"
    for content in (b"one", b"\xff\x00"):
        path.write_bytes(content)
        flow = answered(Response.make(200, b"old"), tmp_path, file="body.bin")
        assert response_of(flow).content == content


def test_a_file_that_is_missing_leaves_the_body_and_is_reported(tmp_path: Path) -> None:
    flow = answered(Response.make(200, b"old"), tmp_path, file="missing")
    assert response_of(flow).content == b"old"
    assert len(flow.addon_errors) == 1
    assert str(tmp_path / "missing") in flow.addon_errors[0]


def test_what_is_put_in_from_a_file_stands_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "part.js").write_text(r"\1 \d $1")
    flow = answered(Response.make(200, "[x]"), tmp_path, substitute={"regex": "(x)", "file": "part.js"})
    assert response_of(flow).text == r"[\1 \d $1]"


# JSON


MERGES: list[Any] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("document", "patch", "expected"), MERGES)
def test_a_merge_patch_does_what_its_rfc_shows(document: Any, patch: Any, expected: Any) -> None:
    """RFC 7396, appendix A."""
    flow = answered(Response.make(200, json.dumps(document)), json_merge=patch)
    assert response_of(flow).json() == expected


PATCHES: list[Any] = [
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"foo": "bar", "baz": "qux"}),
    ({"foo": ["a", "c"]}, [{"op": "add", "path": "/foo/1", "value": "b"}], {"foo": ["a", "b", "c"]}),
    ({"foo": ["a"]}, [{"op": "add", "path": "/foo/-", "value": ["b"]}], {"foo": ["a", ["b"]]}),
    ({"foo": 1, "bar": 2}, [{"op": "remove", "path": "/foo"}], {"bar": 2}),
    ({"foo": 1}, [{"op": "replace", "path": "/foo", "value": None}], {"foo": None}),
    ({"a": {"b": 1}}, [{"op": "move", "from": "/a/b", "path": "/c"}], {"a": {}, "c": 1}),
    ({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": [1], "b": [1]}),
    ({"~/": 1}, [{"op": "test", "path": "/~0~1", "value": 1}, {"op": "remove", "path": "/~0~1"}], {}),
    ({"a": 1}, [{"op": "replace", "path": "", "value": [2]}], [2]),
    ({}, [{"op": "add", "path": "/a", "value": {}}, {"op": "add", "path": "/a/b", "value": 1}],
     {"a": {"b": 1}}),
]  # fmt: skip


@pytest.mark.parametrize(("document", "operations", "expected"), PATCHES)
def test_a_patch_does_what_its_rfc_shows(document: Any, operations: Any, expected: Any) -> None:
    """RFC 6902, appendix A; twice, since an operation must not become part of what it was done to."""
    rules = book({"type": "modify_response", "json_patch": operations}).current
    for _ in range(2):
        flow = http_flow(URL, Response.make(200, json.dumps(document)))
        assert rules.run("response", (flow,)) is None
        assert response_of(flow).json() == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": True},
        {"op": "remove", "path": "/missing"},
        {"op": "add", "path": "/a/b/c", "value": 1},
        {"op": "move", "from": "/b", "path": "/b/c"},
    ],
)
def test_a_patch_that_cannot_be_done_changes_nothing_and_is_reported(operation: dict[str, Any]) -> None:
    content = b'{"a": 1, "b": {}}'
    flow = answered(
        Response.make(200, content), json_patch=[{"op": "remove", "path": "/a"}, operation], status=201
    )
    assert (response_of(flow).content, response_of(flow).status_code) == (content, 201)
    assert [error.startswith("rule it (rules[0]): json_patch: ") for error in flow.addon_errors] == [True]


def test_json_keeps_its_order_its_large_numbers_and_characters_of_any_kind() -> None:
    content = '{"z": 12345678901234567890, "a": "é", "s": "\\ud800", "f": 1.50}'.encode()
    response = response_of(answered(Response.make(200, content), json_merge={"n": 1}))
    assert response.content == b'{"z":12345678901234567890,"a":"\\u00e9","s":"\\ud800","f":1.5,"n":1}'
    flow = answered(Response.make(200, '{"a": "é"}', {"Content-Type": "a/b+json"}), json_merge={"n": "→"})
    assert response_of(flow).content == '{"a":"é","n":"→"}'.encode()


@pytest.mark.parametrize("content", [b"<p>", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_left_as_it_is(content: bytes) -> None:
    flow = answered(Response.make(200, content), json_merge={"a": 1})
    assert response_of(flow).raw_content == content
    assert noted(flow) == ["body: left as it is: it is not JSON"]
    assert flow.addon_errors == []


# HTML


PAGE = "<!doctype html><HTML><Head lang=en><title></head></title></hEAd ><body></body>x</BODY></html>"


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("head_start", PAGE.replace("<Head lang=en>", "<Head lang=en><b>é</b>")),
        ("head_end", PAGE.replace("</head>", "<b>é</b></head>")),
        ("body_end", PAGE.replace("</BODY>", "<b>é</b></BODY>")),
    ],
)
@pytest.mark.parametrize("charset", ["latin-1", "utf-8", "utf-16"])
def test_html_is_put_into_a_page_in_its_charset(at: str, expected: str, charset: str) -> None:
    content_type = f"Text/HTML; charset={charset}"
    page = Response.make(200, PAGE.encode(charset), {"Content-Type": content_type})
    response = response_of(answered(page, inject={"html": "<b>é</b>", "at": at}))
    assert response.content == expected.encode(charset)
    assert response.headers["content-type"] == content_type


def test_html_alone_goes_to_the_end_of_the_head() -> None:
    flow = answered(Response.make(200, "<head></head>", HTML), inject="<b>")
    assert response_of(flow).text == "<head><b></head>"
    assert noted(flow) == ["body: injected at head_end"]


def test_html_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "part.html").write_text(r"<i>\1</i>")
    page = Response.make(200, "<head></head>", HTML)
    flow = answered(page, tmp_path, inject=["<b>", {"file": "part.html"}])
    assert response_of(flow).text == r"<head><b><i>\1</i></head>"


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("text/plain", b"<head></head>"),
        ("application/xhtml+xml", b"<head></head>"),
        ("text/html", b"<header></header>"),
        ("text/html", b"a fragment"),
    ],
)
def test_nothing_is_put_where_there_is_no_place_for_it(content_type: str, content: bytes) -> None:
    for at in ("head_start", "head_end", "body_end"):
        page = Response.make(200, content, {"Content-Type": content_type})
        flow = answered(page, inject={"html": "x", "at": at})
        assert response_of(flow).content == content
        assert noted(flow)[0].startswith("body: nothing injected: it ")


# Bodies that are not there


EDITS: list[dict[str, Any]] = [
    {"substitute": {"regex": ".*", "replacement": "x"}},
    {"json_merge": {"a": 1}},
    {"json_patch": [{"op": "add", "path": "", "value": 1}]},
]


@pytest.mark.parametrize("action", EDITS)
def test_a_request_without_a_body_is_not_touched(action: dict[str, Any]) -> None:
    """mitmproxy 5.6.107, trap 3 of features 2.2."""
    flow = requested(Request.make("GET", URL), **action)
    assert flow.request.raw_content == b""
    assert flow.request.headers.fields == []
    assert noted(flow) == ["body: left as it is: there is none"]


def test_a_request_that_is_given_a_body_has_one() -> None:
    flow = requested(Request.make("GET", URL), method="POST", json={"a": 1})
    assert flow.request.headers.fields == [(b"content-type", b"application/json"), (b"content-length", b"7")]


def test_the_body_of_a_request_is_edited() -> None:
    """Features 25 to 28 for bodies of requests."""
    flow = requested(
        Request.make("POST", URL, b'{"user":"bob"}', {"Content-Type": "application/json"}),
        json_merge={"admin": True},
        substitute={"regex": "bob", "replacement": "eve"},
    )
    assert flow.request.json() == {"user": "eve", "admin": True}
    assert flow.request.headers["content-length"] == "27"


@pytest.mark.parametrize("action", [*EDITS, {"body": "x"}, {"inject": "x"}])
@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 101)])
def test_an_answer_that_has_no_body_is_not_given_one(
    method: str, status: int, action: dict[str, Any]
) -> None:
    """mitmproxy 5.6.107."""
    given = Response.make(status, b"", {"Content-Length": "5", "Content-Type": "text/html"})
    given.raw_content = b"" if method == "HEAD" else b"odd"
    given.headers["content-length"] = "5"
    flow = answered(given, method=method, **action)
    assert flow.response
    assert flow.response.headers.fields == [(b"Content-Length", b"5"), (b"Content-Type", b"text/html")]
    assert flow.response.raw_content == (b"" if method == "HEAD" else b"odd")
    assert noted(flow) == ["body: left as it is: there is none"]


def test_a_status_with_a_body_makes_a_body_possible() -> None:
    flow = answered(Response.make(304), status=200, body="new")
    assert response_of(flow).content == b"new"
    assert response_of(flow).headers["content-length"] == "3"


def test_a_part_of_a_body_is_not_edited() -> None:
    flow = answered(Response.make(206, b"part", {"Content-Range": "bytes 0-3/9"}), body="new")
    assert response_of(flow).content == b"part"
    assert noted(flow) == ["body: left as it is: it is a part of one"]


def test_a_streamed_body_is_left_and_the_log_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    rules = book({"type": "modify_response", "body": "new", "headers": {"set": {"x": "1"}}}).current
    with caplog.at_level(logging.WARNING, "proxyfw.modify"):
        for _ in range(3):
            flow = http_flow(URL, Response.make(200, b"data: 1\n\n"))
            assert flow.response
            flow.response.stream = True
            for hook in ("responseheaders", "response"):
                assert rules.run(hook, (flow,)) is None
            assert flow.response.content == b"data: 1\n\n"
            assert flow.response.headers["x"] == "1"
            assert noted(flow)[-1].startswith("body: left as it is: it is streamed")
    assert [record.message.partition(",")[0] for record in caplog.records] == [
        "rule it (rules[0]) leaves a body as it is: it is streamed"
    ]


def test_a_body_that_is_not_known_is_left() -> None:
    response = Response.make(200)
    response.raw_content = None
    flow = answered(response, body="new")
    assert flow.response
    assert flow.response.raw_content is None


@pytest.mark.parametrize("coding", ["gzip", "nonsense"])
def test_a_body_that_cannot_be_decoded_is_left(coding: str) -> None:
    response = Response.make(200, b"no such thing", {"Content-Type": "text/html"})
    response.headers["content-encoding"] = coding
    flow = answered(response, substitute={"regex": "thing", "replacement": "x"})
    assert response_of(flow).raw_content == b"no such thing"
    assert noted(flow)[0].startswith("body: left as it is: ")
    assert flow.addon_errors == []


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ({"body": "a", "json": 1}, "body, json and file each take the place"),
        ({"substitute": {"regex": "("}}, "give either replacement or file"),
        ({"substitute": {"regex": "(", "replacement": ""}}, "'(' is not a regular expression: missing )"),
        ({"substitute": {"regex": "a", "replacement": r"\1"}}, "invalid group reference 1"),
        ({"substitute": {"regex": "a", "replacement": r"\g<b>"}}, "unknown group name 'b'"),
        ({"substitute": {"regex": "a", "replacement": r"\d"}}, r"bad escape \d"),
        ({"substitute": {"replacement": "a"}}, "regex is missing"),
        ({"json_patch": {"op": "ad", "path": "/a"}}, "json_patch: Unknown operation 'ad'"),
        ({"json_patch": {"op": "add", "path": "a", "value": 1}}, "json_patch: Location must start with /"),
        ({"json_patch": {"op": "add", "path": "/a"}}, "json_patch: add needs 'value'"),
        ({"json_patch": {"op": "copy", "path": "/a"}}, "json_patch: copy needs 'from'"),
        ({"json_patch": 5}, "must be a mapping"),
        ({"inject": {"at": "head_end"}}, "give either html or file"),
        ({"inject": {"html": "", "at": "foot"}}, "must be one of head_start, head_end, body_end"),
    ],
)
def test_a_mistake_is_refused_when_the_rule_is_read(action: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=re.escape(message)):
        book({"type": "modify_response", **action})
