"""The story of one exchange, on a network in memory."""

from __future__ import annotations

from typing import Any

from proxyfw.http import HTTPFlow, Response
from proxyfw.testing import Recorder, world

GET = b"GET http://example.com/a?b HTTP/1.1\r\nHost: example.com\r\nX-Case: Kept\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


async def test_a_request_is_forwarded_in_origin_form_and_its_answer_returned() -> None:
    """5.1.1 and 5.1.23."""
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        origin = w.origin()
        client = w.client()
        client.write(GET)
        server = await origin.accept()
        assert await server.head() == b"GET /a?b HTTP/1.1\r\nHost: example.com\r\nX-Case: Kept\r\n\r\n"
        server.write(OK)
        assert await client.message() == OK
        await w.ended()
    assert recorder.hooks == ["requestheaders", "request", "responseheaders", "response", "flow_end"]


async def test_an_addon_answers_without_the_origin() -> None:
    class Mock:
        def request(self, flow: HTTPFlow) -> None:
            flow.response = Response.make(418, b"tea", {"X-A": "b"})

    async with world(addons=[Mock()]) as w:
        client = w.client()
        client.write(GET)
        answer = await client.message()
        assert answer.startswith(b"HTTP/1.1 418 ")
        assert answer.endswith(b"\r\n\r\ntea")
        assert w.network.dialled == []


async def test_keep_alive_reuses_both_connections() -> None:
    """5.1.29."""
    async with world() as w:
        origin = w.origin()
        client = w.client()
        client.write(GET)
        server = await origin.accept()
        for _ in range(3):
            await server.head()
            server.write(OK)
            assert await client.message() == OK
            client.write(GET)
        await server.head()
        assert len(w.network.dialled) == 1


async def test_kill_while_waiting_for_the_origin_closes_both_sides_at_once() -> None:
    """5.6.102."""
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        origin = w.origin()
        gate = w.gate("request")
        client = w.client()
        client.write(GET)
        flow: Any = await gate.reached()
        gate.release()
        server = await origin.accept()
        await server.head()
        flow.kill()
        assert await client.rest() == b""
        assert await server.rest() == b""
        await w.ended()
    assert recorder.hooks == ["requestheaders", "request", "error: Connection killed.", "flow_end"]
