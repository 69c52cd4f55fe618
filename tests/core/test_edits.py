"""What addons make of messages arrives as they made it, or is refused by name; the framing is always true."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from proxyfw.http import HTTPFlow, Response
from proxyfw.testing import End, Recorder, World, world

GET = b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n"
POST = b"POST http://example.com/ HTTP/1.1\r\nHost: example.com\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
KNOWN = b"Content-Length: 3\r\n\r\nabc"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"
HOOKS = ["requestheaders", "request", "responseheaders", "response"]

Edit = Callable[[HTTPFlow], None]


def addon(hook: str, edit: Edit) -> object:
    return type("Edits", (), {hook: staticmethod(edit)})()


async def ask(w: World, request: bytes = GET) -> tuple[End, End]:
    origin = w.origin()
    client = w.client()
    client.write(request)
    return client, await origin.accept()


def edit_request(flow: HTTPFlow) -> None:
    flow.request.content = b"edited"


def edit_response(flow: HTTPFlow) -> None:
    assert flow.response
    flow.response.content = b"edited"


@pytest.mark.parametrize("framed", [KNOWN, CHUNKED])
async def test_an_edited_request_body_is_framed_as_before(framed: bytes) -> None:
    """5.1.18: a chunked one stays chunked, else the length follows; never both."""
    async with world(addons=[addon("request", edit_request)]) as w:
        _, server = await ask(w, POST + framed)
        head = await server.head()
        if framed is CHUNKED:
            assert b"Content-Length" not in head
            assert await server.exactly(16) == b"6\r\nedited\r\n0\r\n\r\n"
        else:
            assert b"Transfer-Encoding" not in head
            assert head.count(b"Content-Length: 6\r\n") == 1
            assert await server.exactly(6) == b"edited"


@pytest.mark.parametrize("framed", [KNOWN, CHUNKED])
async def test_an_edited_response_body_is_framed_as_before(framed: bytes) -> None:
    """5.1.18."""
    async with world(addons=[addon("response", edit_response)]) as w:
        client, server = await ask(w)
        await server.head()
        server.write(b"HTTP/1.1 200 OK\r\n" + framed)
        head = await client.head()
        if framed is CHUNKED:
            assert b"Content-Length" not in head
            assert await client.exactly(16) == b"6\r\nedited\r\n0\r\n\r\n"
        else:
            assert head == b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
            assert await client.exactly(6) == b"edited"
        client.write(GET)
        await server.head()


async def test_a_body_where_there_was_none_gets_a_length() -> None:
    async with world(addons=[addon("request", edit_request)]) as w:
        _, server = await ask(w)
        assert await server.message() == (
            b"GET / HTTP/1.1\r\nHost: example.com\r\ncontent-length: 6\r\n\r\nedited"
        )


async def test_an_untouched_request_without_a_body_gains_no_length() -> None:
    def touch(flow: HTTPFlow) -> None:
        flow.request.content = flow.request.content

    async with world(addons=[addon("request", touch)]) as w:
        _, server = await ask(w)
        assert await server.head() == b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"


async def test_a_length_that_an_addon_got_wrong_is_made_true() -> None:
    def lie(flow: HTTPFlow) -> None:
        assert flow.response
        flow.response.headers["Content-Length"] = "1000"

    async with world(addons=[addon("response", lie)]) as w:
        client, server = await ask(w)
        await server.head()
        server.write(OK)
        assert await client.message() == OK


async def test_method_path_and_destination_can_be_changed() -> None:
    """Until the request is sent: it is dialled where it goes in the end."""

    def redirect(flow: HTTPFlow) -> None:
        flow.request.method = "PUT"
        flow.request.url = "http://other.test:81/x?y"

    async with world(addons=[addon("request", redirect)]) as w:
        other = w.origin("other.test", 81)
        client = w.client()
        client.write(GET)
        assert (await (await other.accept()).head()).startswith(b"PUT /x?y HTTP/1.1\r\n")
        assert len(w.network.dialled) == 1


@pytest.mark.parametrize("hook", HOOKS[:2])
async def test_an_answer_from_an_addon_needs_no_origin(hook: str) -> None:
    """Nothing is dialled; all hooks fire, for addons that look at every response."""

    def answer(flow: HTTPFlow) -> None:
        flow.response = Response.make(418, b"tea", {"X-A": "b"})

    recorder = Recorder()
    async with world(addons=[addon(hook, answer), recorder]) as w:
        client = w.client()
        for _ in range(2):
            client.write(POST + KNOWN)
            message = await client.message()
            assert message.startswith(b"HTTP/1.1 418 ")
            assert b"X-A: b\r\n" in message
            assert message.endswith(b"\r\n\r\ntea")
        assert w.network.dialled == []
        await w.ended(2)
    assert recorder.hooks == 2 * [*HOOKS, "flow_end"]


@pytest.mark.parametrize("hook", HOOKS[2:])
async def test_an_addon_replaces_the_answer_of_the_origin(hook: str) -> None:
    def replace(flow: HTTPFlow) -> None:
        flow.response = Response.make(200, b"mine")

    async with world(addons=[addon(hook, replace)]) as w:
        client, server = await ask(w)
        await server.head()
        server.write(OK)
        assert (await client.message()).endswith(b"\r\n\r\nmine")


@pytest.mark.parametrize(("method", "status"), [(b"HEAD", 200), (b"GET", 304), (b"GET", 204)])
async def test_an_answer_from_an_addon_has_a_body_only_where_there_may_be_one(
    method: bytes, status: int
) -> None:
    def answer(flow: HTTPFlow) -> None:
        flow.response = Response.make(status, b"tea")

    async with world(addons=[addon("request", answer)]) as w:
        client = w.client()
        for _ in range(2):
            client.write(GET.replace(b"GET", method))
            assert (await client.head()).startswith(b"HTTP/1.1 %d " % status)
        assert client.received == b""


@pytest.mark.parametrize("hook", HOOKS[2:])
async def test_a_response_that_an_addon_takes_away_is_502(hook: str) -> None:
    def take(flow: HTTPFlow) -> None:
        flow.response = None

    async with world(addons=[addon(hook, take)]) as w:
        client, server = await ask(w)
        server.write(OK)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"took the response away" in answer


async def test_a_streamed_response_cannot_be_taken_away() -> None:
    def take(flow: HTTPFlow) -> None:
        flow.response = None

    async with world(addons=[addon("response", take)], stream_large_bodies="1") as w:
        client, server = await ask(w)
        server.write(OK)
        assert await client.message() == OK
        client.write(GET)
        await server.head()


def bad_request_header(flow: HTTPFlow) -> None:
    flow.request.headers["X-Bad"] = "a\r\nEvil: b"


def bad_response_header(flow: HTTPFlow) -> None:
    assert flow.response
    flow.response.headers["X-Bad"] = "a\r\nEvil: b"


def bad_trailer(flow: HTTPFlow) -> None:
    assert flow.response
    flow.response.trailers = {"X-Bad": "a\nb"}


def bad_path(flow: HTTPFlow) -> None:
    flow.request.path = "/X-Bad two"


def bad_answer(flow: HTTPFlow) -> None:
    flow.response = Response.make(200, b"", {"X-Bad": "a\0"})


@pytest.mark.parametrize(
    ("hook", "edit"),
    [
        ("requestheaders", bad_request_header),
        ("request", bad_request_header),
        ("request", bad_path),
        ("request", bad_answer),
        ("responseheaders", bad_response_header),
        ("response", bad_response_header),
        ("response", bad_trailer),
    ],
)
async def test_what_cannot_be_sent_is_502_naming_it_and_one_line_in_the_log(
    hook: str, edit: Edit, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing of it reaches the other side."""
    recorder = Recorder()
    async with world(addons=[recorder, addon(hook, edit)]) as w:
        client, origin = w.client(), w.origin()
        client.write(GET)
        if "response" in hook:
            (await origin.accept()).write(OK)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"X-Bad" in answer
        assert b"\r\nEvil" not in answer
        flow = (await w.ended())[0]
        assert flow.error
        assert all(b"Evil" not in end.received for end in origin.connections)
    assert ["X-Bad" in r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == [True]
    assert recorder.hooks[-1] == "flow_end"
    assert sum(hook.startswith("error") or hook == "response" for hook in recorder.hooks) == 1


async def test_what_cannot_be_sent_of_a_streamed_answer_breaks_it_off() -> None:
    async with world(addons=[addon("responseheaders", bad_response_header)], stream_large_bodies="1") as w:
        client, server = await ask(w)
        server.write(OK)
        assert (await client.rest()).startswith(b"HTTP/1.1 502 ")
        assert (await w.ended())[0].error
