"""Routes: which requests they are for, in which order, and what they do with them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import RemoteDisconnected
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from proxyfw.http import HTTPFlow, Request, Response
from proxyfw.testing import Abort, AsyncProxyClient, LiveProxy, ProxyClient, Route, http_flow
from proxyfw.testkit.matching import Matching

Routing = Callable[..., Route]
URL = "https://api.example/users"


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def do_GET(self) -> None:
        seen = {
            "method": self.command,
            "path": self.path,
            "x": self.headers.get("x"),
            "y": self.headers.get("y"),
        }
        content = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """The URL of a server on this machine, without a slash at its end."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


# Answers


def test_a_reply_needs_no_network(route: Routing, proxy_client: ProxyClient) -> None:
    route("GET", "https://api.example/*").reply(json={"users": ["Ada"]})
    answer = proxy_client.get(URL)
    assert (answer.status_code, answer.json()) == (200, {"users": ["Ada"]})
    assert answer.headers["Content-Type"] == "application/json"


async def test_it_is_the_same_in_async_tests(route: Routing, async_proxy_client: AsyncProxyClient) -> None:
    """Features 95: next() returns the n-th request."""
    users = route("GET", "https://api.example/*").reply(text="Ada")
    assert (await async_proxy_client.get(URL)).text == "Ada"
    await async_proxy_client.get(URL, params={"page": 2})
    assert (await users.next()).request.path == "/users"
    assert (await users.next(answered=True)).request.path == "/users?page=2"


@pytest.mark.parametrize(
    ("given", "content", "kind"),
    [
        ({"text": "é"}, "é".encode(), "text/plain; charset=utf-8"),
        ({"body": b"\x00\xff"}, b"\x00\xff", None),
        ({"json": [1], "headers": {"content-type": "application/x"}}, b"[1]", "application/x"),
        ({}, b"", None),
    ],
)
def test_what_is_replied(
    route: Routing, proxy_client: ProxyClient, given: dict[str, Any], content: bytes, kind: str | None
) -> None:
    route().reply(201, **given)
    answer = proxy_client.get(URL)
    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (201, content, kind)


def test_replies_one_after_the_other(route: Routing, proxy_client: ProxyClient) -> None:
    route().reply(503).reply(200)
    assert [proxy_client.get(URL).status_code for _ in range(3)] == [503, 200, 200]


def test_the_newest_route_is_asked_first_until_it_retires(route: Routing, proxy_client: ProxyClient) -> None:
    route().reply(text="old")
    route().times(2).reply(text="new")
    assert [proxy_client.get(URL).text for _ in range(3)] == ["new", "new", "old"]


def test_a_route_without_an_action_watches(route: Routing, proxy_client: ProxyClient) -> None:
    route().reply(text="older")
    watching = route("POST")
    assert proxy_client.post(URL, json={"name": "Ada"}).text == "older"
    (request,) = watching.requests
    assert request.json() == {"name": "Ada"}


def test_the_origin_is_asked_for_what_no_route_is_for(proxy_client: ProxyClient, origin: str) -> None:
    assert proxy_client.get(f"{origin}/a").json()["path"] == "/a"


def test_requests_that_are_changed_and_sent_on(
    route: Routing, proxy_client: ProxyClient, origin: str
) -> None:
    route(url="http://api.example/*").continue_(
        method="POST", url=f"{origin}/other", headers={"x": "1", "y": None}
    )
    seen = proxy_client.get("http://api.example/", headers={"y": "2"}).json()
    assert seen == {"method": "POST", "path": "/other", "x": "1", "y": None}


def test_functions_edit_requests_and_responses(
    route: Routing, proxy_client: ProxyClient, origin: str
) -> None:
    def before(flow: HTTPFlow) -> None:
        flow.request.headers["x"] = "before"

    async def after(flow: HTTPFlow) -> None:
        assert flow.response
        flow.response.headers["x"] = "after"

    route(url=f"{origin}/*").modify(before, response=after)
    answer = proxy_client.get(f"{origin}/")
    assert (answer.json()["x"], answer.headers["x"]) == ("before", "after")


def test_aborted_requests(route: Routing, proxy_client: ProxyClient) -> None:
    route(url="https://refused.example/*").abort("refused")
    route(url="https://reset.example/*").delay(0.001).abort()
    route(url="http://close.example/*").abort("close")
    refused = proxy_client.get("https://refused.example/")
    assert (refused.status_code, refused.text) == (
        502, "cannot connect to refused.example:443: Connection refused\n"
    )  # fmt: skip
    with pytest.raises(ConnectionResetError):
        proxy_client.get("https://reset.example/")
    with pytest.raises(RemoteDisconnected):  # nothing came, and then the end
        proxy_client.get("http://close.example/")


# Handlers


@pytest.mark.parametrize(
    ("outcome", "status", "content"),
    [
        (204, 204, b""),
        ("text", 200, b"text"),
        (b"\x01", 200, b"\x01"),
        ({"a": 1}, 200, b'{"a": 1}'),
        ([], 200, b"[]"),
        (Response.make(418, b"tea"), 418, b"tea"),
        (Abort("refused"), 502, b"cannot connect to api.example:443: Connection refused\n"),
    ],
)
def test_what_a_handler_returns(
    route: Routing, proxy_client: ProxyClient, outcome: Any, status: int, content: bytes
) -> None:
    route(handler=lambda flow: outcome)
    answer = proxy_client.get(URL)
    assert (answer.status_code, answer.content) == (status, content)


def test_a_handler_that_declines_leaves_its_edits_to_the_next(
    route: Routing, proxy_client: ProxyClient
) -> None:
    def edit(flow: HTTPFlow) -> None:
        flow.request.headers["x"] = "edited"

    route(headers={"x": "edited"}).reply(text="seen")
    route(handler=edit)
    assert proxy_client.get(URL).text == "seen"


async def test_handlers_wait_side_by_side_in_the_loop_of_the_test(
    route: Routing, async_proxy_client: AsyncProxyClient
) -> None:
    """Features 98: two requests are in one handler at a time."""
    both, inside = asyncio.Event(), 0

    async def handler(flow: HTTPFlow) -> str:
        nonlocal inside
        inside += 1
        if inside == 2:
            both.set()
        await both.wait()
        return flow.request.path

    route(url="http://api.example/*", handler=handler)
    answers = await asyncio.gather(
        async_proxy_client.get("http://api.example/1"), async_proxy_client.get("http://api.example/2")
    )
    assert [answer.text for answer in answers] == ["/1", "/2"]


def test_plain_handlers_may_block(route: Routing, proxy_client: ProxyClient) -> None:
    """Features 98, in a test without an event loop."""
    barrier = threading.Barrier(2)

    def handler(flow: HTTPFlow) -> int:
        barrier.wait(5)
        return 204

    route(handler=handler)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(proxy_client.get, [URL, URL]))
    assert [answer.status_code for answer in answers] == [204, 204]


def test_async_handlers_in_a_test_without_a_loop(route: Routing, proxy_client: ProxyClient) -> None:
    async def handler(flow: HTTPFlow) -> str:
        await asyncio.sleep(0)
        return "awaited"

    route(handler=handler)
    assert proxy_client.get(URL).text == "awaited"


# Waiting


def test_waiting_for_the_next_request(route: Routing, proxy_client: ProxyClient) -> None:
    """Features 95, in a plain test."""
    users = route("GET", "/users*").reply()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(lambda: [proxy_client.get(URL, params={"page": page}) for page in (1, 2)])
        assert [users.wait().request.query["page"] for _ in range(2)] == ["1", "2"]
        asked.result()


def test_waiting_in_vain_says_what_did_arrive(route: Routing, proxy_client: ProxyClient) -> None:
    """Features 95."""
    route().reply(404)
    users = route("POST", "https://api.example/*")
    expected = r"request 1 for POST https://api.example/\* did not come in 0.01 s; "
    with pytest.raises(TimeoutError, match=expected + "no request arrived at all"):
        users.wait(0.01)
    proxy_client.get(URL)
    with pytest.raises(TimeoutError, match=expected + "1 arrived:\n  GET https://api.example/users -> 404"):
        users.wait(0.01)


async def test_waiting_in_vain_in_an_async_test(route: Routing) -> None:
    with pytest.raises(TimeoutError, match=r"request 1 for any request did not come in 0.01 s"):
        await route().next(0.01)


# Which requests


@pytest.mark.parametrize(
    ("method", "url", "words"),
    [
        ("POST", None, {}),
        (["PUT", "post"], None, {}),
        (None, "https://api.example/*", {}),
        (None, "https://API.example/users", {}),
        (None, "https://api.example/users?page=2", {}),
        (None, "/users", {}),
        (None, "/use*", {}),
        (None, "/api\\.(example|test)/i", {}),
        (None, "*users", {}),
        (None, None, {"host": "*.example"}),
        (None, None, {"path": "/users"}),
        (None, None, {"query": {"page": "2"}}),
        (None, None, {"headers": {"x-key": "se*", "y": None}}),
        (None, None, {"json": {"name": "Ada", "age": 36}}),
        (None, None, {"json_contains": {"name": "Ada"}}),
        (None, None, {"body": "*Ada*"}),
        (None, None, {"filter": "~m POST & ~d api.example"}),
    ],
)
def test_what_a_route_is_for(method: Any, url: str | None, words: dict[str, Any]) -> None:
    request = Request.make(
        "POST", "https://api.example/users?page=2", '{"name": "Ada", "age": 36}', {"X-Key": "secret"}
    )
    other = Request.make("GET", "http://other.test/else?page=3", b"{}", {"Y": "1"})
    matching = Matching(method, url, words)
    assert matching(http_flow(request))
    assert not matching(http_flow(other))


def test_a_url_that_is_only_a_host_has_a_path() -> None:
    assert Matching(None, "https://api.example", {})(http_flow("https://api.example/"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"url": "api.example/users"}, r"'api.example/users' is no URL: write https://api.example/users, or"),
        ({"url": "/(/i"}, "is not a regular expression"),
        ({"hots": "x"}, "host"),
        ({"filter": "~nope"}, "nope"),
        ({"status": 404}, "status: a route is about requests"),
    ],
)
def test_what_a_route_cannot_be_for(proxy: LiveProxy, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        proxy.route(**wrong)


def test_what_a_route_cannot_do(proxy: LiveProxy) -> None:
    route = proxy.route()
    with pytest.raises(TypeError, match="give json or text, not all of them"):
        route.reply(json={}, text="")
    with pytest.raises(ValueError, match="'explode' is none of reset, close, refused"):
        route.abort("explode")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="times: 0 is too few"):
        route.times(0)
    with pytest.raises(ValueError, match="delay: -1 is in the past"):
        route.delay(-1)
    with pytest.raises(TypeError, match="a handler is a function of the flow, not 'x'"):
        proxy.route(handler="x")  # type: ignore[arg-type]


def test_routes_say_what_they_are(proxy: LiveProxy, proxy_client: ProxyClient) -> None:
    route = proxy.route(["GET", "HEAD"], "https://api.example/*", query={"page": "2"}).reply()
    assert repr(route) == "<Route GET or HEAD https://api.example/* with query={'page': '2'}, not used>"
    proxy_client.get(URL, params={"page": 2})
    assert (route.count, str(proxy.route())) == (1, "any request")
    assert repr(route).endswith(", used 1 time>")
