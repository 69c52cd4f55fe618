"""What the ``match`` of a rule means."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from proxyfw.connection import ServerConnectionHookData
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow, Request
from proxyfw.rules import Match
from proxyfw.ruleset import facts
from proxyfw.ruleset.match import Known
from proxyfw.ruleset.shape import ShapeError, read
from proxyfw.testing import client_connection, http_flow, server_connection, tcp_flow, websocket_flow
from proxyfw.tls import ClientHello, ClientHelloData


def holds(match: dict[str, Any], subject: Any) -> bool:
    """Whether all tests of *match* hold, or else the field that fails is said by `failing`."""
    return failing(match, subject) is None


def failing(match: dict[str, Any], subject: Any) -> str | None:
    for test in read(Match, match).tests(Random(1)):
        if test.holds(subject) is None:
            return test.field
    return None


def flow(
    method: str = "GET", url: str = "https://api.example.com/users/7?a=1&b=2&a=3", **more: Any
) -> HTTPFlow:
    return http_flow(Request.make(method, url, **more), response=None)


def test_an_empty_match_means_every_flow() -> None:
    """features 8."""
    assert holds({}, flow())
    assert holds({}, tcp_flow())


@pytest.mark.parametrize(
    ("match", "held"),
    [
        ({"method": ["put", "GET"]}, True),
        ({"method": "get"}, True),
        ({"method": ["put", "PATCH"]}, False),
        ({"host": "api.example.com"}, True),
        ({"host": "API.Example.com"}, True),
        ({"host": "*.example.com"}, True),
        ({"host": "example.com"}, False),
        ({"host": ["nope", "*.com"]}, True),
        ({"port": 443}, True),
        ({"port": [80, 8080]}, False),
        ({"scheme": "https"}, True),
        ({"scheme": "http"}, False),
        ({"url": "https://api.example.com/users/7"}, True),
        ({"url": "https://api.example.com/users/*"}, True),
        ({"url": "https://api.example.com/users/7?a=1&b=2&a=3"}, True),
        ({"url": "https://api.example.com/users/7?a=1"}, False),
        ({"url": "*?*b=2*"}, True),
        ({"url": "api"}, False),
        ({"url": "*api*"}, True),
        ({"url": r"/users\/(\d+)/"}, True),
        ({"url": r"/b=2/"}, True),
        ({"path": "/users/*"}, True),
        ({"path": "/users/"}, False),
        ({"path": "/users/7?a*"}, True),
        ({"query": {"b": "2", "a": ["3", "1"]}}, True),
        ({"query": {"a": ["1", "4"]}}, False),
        ({"query": {"c": None}}, True),
        ({"query": {"b": None}}, False),
        ({"query": {"B": "2"}}, False),
        ({"protocol": "https"}, True),
        ({"protocol": ["http", "ws", "tcp"]}, False),
        ({"filter": "~m GET & ~d example"}, True),
        ({"filter": "~m POST"}, False),
        ({"chance": 1}, True),
        ({"chance": "0%"}, False),
    ],
)
def test_the_head_of_a_request(match: dict[str, Any], held: bool) -> None:
    """features 9-12, 15."""
    assert holds(match, flow()) is held
    assert not held or not holds(match | {"method": "nope"}, flow())


def test_headers_are_seen_one_by_one_and_may_have_to_be_absent() -> None:
    """features 13."""
    seen = flow(headers={"Accept": "text/html", "Cookie": "a=1; b=2"})
    seen.request.headers.add("accept", "image/png")
    assert holds({"headers": {"ACCEPT": "image/*"}}, seen)
    assert holds({"headers": {"accept": ["image/*", "text/*"]}}, seen)
    assert not holds({"headers": {"accept": "application/*"}}, seen)
    assert not holds({"headers": {"x-other": "*"}}, seen)
    assert holds({"headers": {"x-other": None}}, seen)
    assert not holds({"headers": {"accept": None}}, seen)
    assert holds({"cookies": {"b": "2", "c": None}}, seen)
    assert not holds({"cookies": {"b": "3"}}, seen)
    assert failing({"cookies": {"b": "3"}}, seen) == "cookies.b"


def test_a_body_pattern_never_means_a_request_without_a_body() -> None:
    """features 14."""
    assert not holds({"body": "*"}, flow())
    assert not holds({"body": "*"}, flow("POST", content=b""))
    assert holds({"body": "*needle*"}, flow("POST", content=b"a\nneedle\nb"))
    assert not holds({"body": "needle"}, flow("POST", content=b"a needle"))
    assert holds({"body": "/nee(d)le/"}, flow("POST", content=b"a needle"))


def test_json() -> None:
    body = b'{"user": {"id": 1, "tags": ["a", "b"], "on": true}, "n": null}'
    seen = flow("POST", content=body)
    whole = {"user": {"id": 1, "tags": ["a", "b"], "on": True}, "n": None}
    assert holds({"json": whole}, seen)
    assert not holds({"json": {"user": {}}}, seen)
    assert not holds({"json": whole | {"n": 0}}, seen)
    assert holds({"json_contains": {"user": {"tags": ["b"], "on": True}}}, seen)
    assert not holds({"json_contains": {"user": {"on": 1}}}, seen)
    assert not holds({"json_contains": {"other": None}}, seen)
    assert not holds({"json": None}, flow())
    assert holds({"json": None}, flow("POST", content=b"null"))
    assert not holds({"json": "x"}, flow("POST", content=b"{x"))


def test_forms() -> None:
    urlencoded = flow(
        "POST", content=b"a=1&b=x%20y", headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert holds({"form": {"b": "x y", "c": None}}, urlencoded)
    assert not holds({"form": {"a": "2"}}, urlencoded)
    multipart = flow(
        "POST",
        content=b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\none\r\n--x--\r\n',
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert holds({"form": {"a": "one"}}, multipart)
    assert not holds({"form": {"a": "two"}}, multipart)


@pytest.mark.parametrize(
    ("match", "body", "held"),
    [
        ("GetUser", b'{"query": "query GetUser { a }", "operationName": "GetUser"}', True),
        ("Get*", b'{"query": "query GetUser { a }"}', True),
        ("GetUser", b'{"query": "query Other { a } query GetUser { b }", "operationName": "GetUser"}', True),
        ("GetUser", b'[{"query": "{ a }"}, {"query": "query GetUser { a }"}]', True),
        ("GetUser", b'{"operationName": "GetUser", "extensions": {}}', True),
        ("GetUser", b'{"query": "mutation Other { a }"}', False),
        ("GetUser", b"no json", False),
        ({"kind": "mutation"}, b'{"query": "mutation Other { a }"}', True),
        ({"kind": "query"}, b'{"query": "{ a }"}', True),
        ({"kind": "mutation", "operation": "X"}, b'{"query": "mutation Other { a }"}', False),
    ],
)
def test_graphql(match: Any, body: bytes, held: bool) -> None:
    assert holds({"graphql": match}, flow("POST", content=body)) is held


def test_graphql_in_a_query() -> None:
    assert holds({"graphql": "Q"}, flow(url="http://a/?query=query+Q+%7Ba%7D"))


def test_status_and_messages() -> None:
    done = http_flow("http://example.com/", 503)
    assert holds({"status": "5xx"}, done)
    assert not holds({"status": "404"}, done)
    socket = websocket_flow((True, "hello"), (False, "good-bye"))
    assert holds({"message": "good*", "sender": "server"}, socket)
    assert not holds({"message": "hello"}, socket)
    assert not holds({"sender": "client"}, socket)
    assert not holds({"sender": "server"}, http_flow())


def test_the_kind_of_traffic() -> None:
    upgrade = flow(url="http://a/", headers={"Upgrade": "WebSocket"})
    assert holds({"protocol": "ws"}, upgrade)
    assert not holds({"protocol": "http"}, upgrade)
    assert holds({"protocol": "grpc"}, flow("POST", headers={"Content-Type": "application/grpc+proto"}))
    assert holds({"protocol": "tcp"}, tcp_flow())
    assert not holds({"protocol": "grpc"}, tcp_flow())


@pytest.mark.parametrize(
    ("pattern", "held"),
    [
        ("wss://chat.test/*", True),
        ("WSS://chat.test/room?a=*", True),
        ("https://chat.test/room", True),
        ("ws://chat.test/*", False),
        ("wss://other.test/*", False),
    ],
)
def test_a_url_may_be_written_as_a_page_opens_a_websocket(pattern: str, held: bool) -> None:
    upgrade = flow(url="https://chat.test/room?a=1", headers={"Upgrade": "websocket"})
    assert holds({"url": pattern}, upgrade) is held
    assert holds({"url": ["http://nope/", pattern]}, upgrade) is held
    plain = flow(url="https://chat.test/room?a=1")
    assert holds({"url": pattern}, plain) is (held and pattern.startswith("https"))
    assert not holds({"url": pattern}, tcp_flow())


def test_connections_before_there_is_a_flow() -> None:
    client, server = client_connection(), server_connection(("One.example", 443))
    hello = ClientHelloData(ClientHello(b"", "Two.example", (), (), ()), client, server)  # type: ignore[arg-type]
    assert holds({"host": "two.example", "port": 443, "protocol": "tls"}, hello)
    assert holds({"host": "one.example", "port": 443}, ServerConnectionHookData(server, client))
    client.sni = "three.example"
    assert holds({"host": "three.*"}, client)
    assert facts.port(client) is None


def test_facts_of_a_flow_that_lacks_them_are_no_exception() -> None:
    empty: Flow = tcp_flow()
    matches: list[dict[str, Any]] = [
        {"url": "*"}, {"path": "*"}, {"method": "*"}, {"headers": {"a": None}}, {"query": {"a": None}},
        {"body": "*"}, {"json": None}, {"json_contains": {}}, {"graphql": "*"}, {"form": {"a": None}},
        {"scheme": "*"},
    ]  # fmt: skip
    for match in matches:
        assert not holds(match, empty), match


def test_from_when_on_conditions_are_known() -> None:
    def known(match: dict[str, Any]) -> Known:
        return max(test.known for test in read(Match, match).tests(Random(1)))

    assert known({"host": "a"}) is Known.CONNECTION
    assert known({"protocol": "tcp"}) is Known.CONNECTION
    assert known({"protocol": "http"}) is Known.REQUEST_HEAD
    assert known({"filter": "~m GET"}) is Known.REQUEST_HEAD
    assert known({"filter": "~bq x & ~m GET"}) is Known.REQUEST_BODY
    assert known({"filter": "~c 404 | ~m GET"}) is Known.REQUEST_HEAD
    assert known({"filter": "!~s"}) is Known.REQUEST_HEAD
    assert known({"status": 404}) is Known.RESPONSE_HEAD
    assert known({"filter": "~bs x"}) is Known.RESPONSE_BODY
    assert known({"host": "a", "chance": 0.5, "body": "x"}) is Known.REQUEST_BODY


@pytest.mark.parametrize(
    ("match", "hosts"),
    [
        ({}, None),
        ({"host": ["a", "*.b"]}, ["a", "*.b"]),
        ({"url": "https://api.example.com/x"}, ["api.example.com"]),
        ({"url": "https://api.example.com:8443/x"}, ["api.example.com"]),
        ({"url": "https://[::1]:8443/x"}, ["::1"]),
        ({"url": "http*://*.example.com/x"}, None),
        ({"url": "https://*.example.com/x"}, ["*.example.com"]),
        ({"url": "https://api.*"}, None),
        ({"url": "https://*"}, None),
        ({"url": "*example*"}, None),
        ({"url": ["https://a/", "/b/"]}, None),
    ],
)
def test_hosts_that_are_obvious(match: dict[str, Any], hosts: list[str] | None) -> None:
    found = read(Match, match).hosts()
    assert (None if found is None else [pattern.text for pattern in found]) == hosts


@pytest.mark.parametrize(
    ("match", "message"),
    [
        ({"url": "/(/"}, "match.*url: /(/ is not a regular expression"),
        ({"filter": "~m ("}, "filter: "),
        ({"filter": 5}, "filter: must be a filter expression, not 5"),
        ({"status": "abc"}, "status: "),
        ({"status": True}, "status: must be a status"),
        ({"host": []}, "host: is an empty list"),
        ({"method": {"a": 1}}, "method: must be text"),
        ({"protocol": "gopher"}, "protocol: must be one of"),
    ],
)
def test_bad_matches_are_refused(match: dict[str, Any], message: str) -> None:
    """features 10."""
    with pytest.raises(ShapeError) as caught:
        read(Match, match)
    assert message.removeprefix("match.*") in str(caught.value)
