"""Rules that modify heads and queries: what is named changes, and nothing else does."""

from __future__ import annotations

import re
from typing import Any

import pytest

from proxyfw.exceptions import OptionsError
from proxyfw.http import Headers, HTTPFlow, Request, Response
from proxyfw.rules import RuleBook, original_response
from proxyfw.testing import http_flow
from proxyfw_addons.modify import ModifyRequest, ModifyResponse

URL = "http://example.com/a"
FIELDS = [
    (b"Host", b"example.com"),
    (b"X-ONE", b"1"),
    (b"cookie", b"a=1"),
    (b"x-Two", b"2"),
    (b"X-One", b"3"),
    (b"Cookie", b"b=2"),
]


def book(*rules: dict[str, Any]) -> RuleBook:
    made = RuleBook()
    made.define("modify_request", ModifyRequest)
    made.define("modify_response", ModifyResponse)
    made.provide("test", made.read(list(rules)))
    return made


def through(rules: RuleBook, flow: HTTPFlow) -> HTTPFlow:
    """*flow* after the rules; its response stands for the origin's."""
    answer, flow.response = flow.response, None
    for hook in ("request", "responseheaders", "response"):
        assert rules.current.run(hook, (flow,)) is None
        flow.response = flow.response or answer
    assert flow.addon_errors == []
    return flow


def requested(url: str = URL, fields: Any = FIELDS, match: Any = None, **action: Any) -> Request:
    rule = {"match": match or {}, "action": {"type": "modify_request", **action}}
    flow = http_flow(Request.make("GET", url))
    flow.request.headers = Headers(fields)
    return through(book(rule), flow).request


def answered(response: Response, **action: Any) -> HTTPFlow:
    rule = {"name": "it", "action": {"type": "modify_response", **action}}
    return through(book(rule), http_flow(URL, response))


def headers_of(flow: HTTPFlow) -> list[tuple[bytes, bytes]]:
    assert flow.response
    return flow.response.headers.fields


def test_a_field_that_is_removed_is_gone_and_the_rest_is_as_it_was() -> None:
    """Features 25 and 28, trap 2 of features 2.2."""
    request = requested(headers={"remove": "COOKIE"})
    assert request.headers.fields == [field for field in FIELDS if field[0].lower() != b"cookie"]


def test_fields_are_set_where_they_were_and_added_at_the_end() -> None:
    """Features 28."""
    request = requested(headers={"set": {"x-one": ["a", "b", "c"], "X-New": 5}, "add": {"x-two": "again"}})
    assert request.headers.fields == [
        (b"Host", b"example.com"),
        (b"X-ONE", b"a"),
        (b"cookie", b"a=1"),
        (b"x-Two", b"2"),
        (b"X-One", b"b"),
        (b"Cookie", b"b=2"),
        (b"x-one", b"c"),
        (b"X-New", b"5"),
        (b"x-two", b"again"),
    ]


def test_removal_comes_first_so_that_all_of_a_name_may_be_replaced() -> None:
    request = requested(headers={"remove": ["x-*"], "set": {"X-One": "new"}})
    assert [name for name, _ in request.headers.fields] == [b"Host", b"cookie", b"Cookie", b"X-One"]


def test_values_may_have_what_wildcards_stood_for() -> None:
    request = requested(
        "http://example.com/users/7?x=1",
        match={"path": "/users/*"},
        path="/v2/people/$1",
        headers={"set": {"x-user": "$1 for $$1"}},
        query={"set": {"user": "$1"}},
    )
    assert request.headers["x-user"] == "7 for $1"
    assert request.path == "/v2/people/7?x=1&user=7"


def test_the_host_of_http_2_is_its_authority() -> None:
    flow = http_flow(Request.make("GET", URL))
    flow.request.http_version, flow.request.authority = "HTTP/2.0", "example.com"
    rule = {"action": {"type": "modify_request", "headers": {"set": {"Host": "other.test"}}}}
    request = through(book(rule), flow).request
    assert (request.authority, request.headers.fields, request.host) == ("other.test", [], "example.com")


def test_parameters_that_are_not_named_keep_order_and_spelling() -> None:
    """Features 25."""
    request = requested(
        "http://example.com/?b=%7e&utm_source=x&page=1&a=&b=+&flag&UTM_term=y&page=3",
        query={"remove": "utm_*", "set": {"page": 2, "new": ["é", "&"]}, "add": {"b": "last"}},
    )
    assert request.path == "/?b=%7e&page=2&a=&b=+&flag&new=%C3%A9&new=%26&b=last"


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/new", "/new?q=1"), ("/new?", "/new?"), ("/new?q=2", "/new?q=2")],
)
def test_a_path_or_url_keeps_the_query_unless_it_has_one(path: str, expected: str) -> None:
    assert requested("http://example.com/old?q=1", path=path).path == expected
    rule = {"action": {"type": "modify_request", "url": f"http://other.test{path}"}}
    assert through(book(rule), http_flow("http://example.com/old?q=1")).request.path == expected


def test_a_method_is_set() -> None:
    assert requested(method="QUERY").method == "QUERY"


def test_a_url_sends_the_request_elsewhere_and_host_follows() -> None:
    rule = {
        "match": {"url": "http://*/*"},
        "action": {"type": "modify_request", "url": "https://$1.test:8443/x/$2?y"},
    }
    flow = http_flow(Request.make("GET", URL, headers=[("Host", "example.com")]))
    request = through(book(rule), flow).request
    assert request.url == "https://example.com.test:8443/x/a?y"
    assert request.headers["host"] == "example.com.test:8443"


@pytest.mark.parametrize(
    ("path", "error"), [("$1", "path: 'a' does not begin with a slash"), ("/$1", None), ("*", None)]
)
def test_a_path_begins_with_a_slash(path: str, error: str | None) -> None:
    rule = {"match": {"path": "/*"}, "action": {"type": "modify_request", "path": path}}
    flow = http_flow(URL, response=None)
    assert book(rule).current.run("request", (flow,)) is None
    assert [error in each for each in flow.addon_errors if error] == ([True] if error else [])


def test_a_url_that_is_none_leaves_the_request_alone_and_is_reported() -> None:
    rule = {"match": {"path": "*"}, "action": {"type": "modify_request", "url": "$1"}}
    flow = http_flow(URL, response=None)
    assert book(rule).current.run("request", (flow,)) is None
    assert flow.request.url == URL
    assert ["url: URL '/a' has no scheme" in error for error in flow.addon_errors] == [True]


def test_a_response_loses_a_field_and_its_cookies_stay_two() -> None:
    """Features 26, trap 2 of features 2.2."""
    fields = [(b"Server", b"nginx"), (b"Set-Cookie", b"a=1"), (b"X", b"y"), (b"set-cookie", b"b=2")]
    flow = answered(Response(b"HTTP/1.1", 200, b"OK", fields, b"", None, 0, 0), headers={"remove": "server"})
    assert headers_of(flow) == fields[1:]


def test_cookies_that_are_set_stay_fields_of_their_own() -> None:
    flow = answered(Response.make(200, b"x"), headers={"set": {"Set-Cookie": ["a=1", "b=2"]}})
    assert headers_of(flow)[1:] == [(b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2")]


def test_a_status_has_its_reason() -> None:
    flow = answered(Response.make(200, b"x"), status=404)
    assert flow.response
    assert (flow.response.status_code, flow.response.reason) == (404, "Not Found")
    assert flow.trace
    assert "note: it matched (status 404)" in map(str, flow.trace)


def test_the_flow_has_what_the_client_got_and_what_the_origin_sent() -> None:
    """Features 31, trap 8 of features 2.2."""
    rules = book(
        {"action": {"type": "modify_response", "status": 404, "headers": {"set": {"x": "new"}}}},
        {"action": {"type": "modify_response", "body": "two", "headers": {"set": {"x": "newer"}}}},
    )
    flow = through(rules, http_flow(URL, Response.make(200, b"origin", {"x": "old"})))
    assert flow.response
    assert (flow.response.status_code, flow.response.headers["x"], flow.response.text) == (
        404,
        "newer",
        "two",
    )
    for saved in (flow, HTTPFlow.from_state(flow.get_state())):
        origin = original_response(saved)
        assert origin
        assert (origin.status_code, origin.headers["x"], origin.content) == (200, "old", b"origin")


def test_of_a_response_whose_body_is_not_changed_it_is_not_kept_twice() -> None:
    flow = answered(Response.make(200, b"origin"), status=404)
    origin = original_response(flow)
    assert origin
    assert origin.content is None


def test_a_rule_sees_what_those_before_it_did() -> None:
    """Features 30."""
    rules = book(
        {"action": {"type": "modify_request", "headers": {"set": {"X-Env": "staging"}}, "path": "/b"}},
        {
            "match": {"headers": {"x-env": "staging"}, "path": "/b"},
            "action": {"type": "modify_request", "headers": {"add": {"X-Seen": "yes"}}},
        },
        {"action": {"type": "modify_response", "status": 500}},
        {"match": {"status": 500}, "action": {"type": "modify_response", "body": "seen"}},
    )
    flow = through(rules, http_flow(URL, Response.make(200, b"x")))
    assert flow.request.headers["x-seen"] == "yes"
    assert flow.response
    assert flow.response.text == "seen"


def test_what_a_rule_asks_about_the_body_decides_about_the_head_too() -> None:
    rule = {
        "match": {"filter": "~bs secret"},
        "action": {"type": "modify_response", "status": 403, "body": "no"},
    }
    for body, status in ((b"a secret", 403), (b"nothing", 200)):
        flow = through(book(rule), http_flow(URL, Response.make(200, body)))
        assert flow.response
        assert flow.response.status_code == status


def test_a_head_that_was_sent_before_the_rule_was_known_to_match_is_left_alone() -> None:
    rule = {
        "name": "late",
        "match": {"filter": "~bs x"},
        "action": {"type": "modify_response", "status": 403},
    }
    flow = http_flow(URL, Response.make(200, b"x"))
    assert flow.response
    flow.response.stream = True
    through(book(rule), flow)
    assert flow.response.status_code == 200
    assert any("it had been sent when" in step.detail for step in flow.trace or ())


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ({"type": "modify_request", "headers": {"set": {"a b": "1"}}}, "'a b' is not the name of a header"),
        ({"type": "modify_request", "headers": {"add": {"a": "1\r\nb: 2"}}}, "has a line end"),
        ({"type": "modify_response", "headers": {"set": {"Content-Length": 1}}}, "follows from the body"),
        ({"type": "modify_request", "headers": {"replace": {}}}, "there is no 'replace' here"),
        ({"type": "modify_request"}, "nothing is modified: give one of body, json, file, json_merge"),
        ({"type": "modify_response", "substitute": []}, "nothing is modified"),
        ({"type": "modify_request", "method": "A B"}, "'A B' is no method"),
        ({"type": "modify_request", "url": "example.com"}, "has no scheme"),
        ({"type": "modify_request", "url": "http://a/", "path": "/"}, "leave path out"),
        ({"type": "modify_request", "path": "x"}, "must begin with a slash"),
        ({"type": "modify_response", "status": 101}, "101 is no status to end with"),
        ({"type": "modify_response", "method": "GET"}, "there is no 'method' here"),
    ],
)
def test_a_mistake_is_refused_when_the_rule_is_read(action: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=re.escape(message)):
        book({"action": action})
