"""Client replay and breakpoints on real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ends import Field, Recorder

from proxyfw.flow import Pause
from proxyfw.http import HTTPFlow, Request
from proxyfw.testing import http_flow

pytestmark = pytest.mark.end_to_end


class Paused:
    def __init__(self) -> None:
        self.pauses: asyncio.Queue[Pause] = asyncio.Queue()

    def flow_paused(self, pause: Pause) -> None:
        self.pauses.put_nowait(pause)


async def test_an_intercepted_request_is_sent_again(field: Field) -> None:
    """Features 85: over TLS, on the connection that is there already."""
    recorder = Recorder()
    proxy = await field.proxy("replay", recorder)
    origin = await field.origin()
    talk = await field.secure(proxy, origin.port)
    await talk.get("/first")
    (flow,) = recorder.of("response")
    again = await proxy.replay(flow)
    assert again.response
    assert again.response.content == b"GET /first HTTP/1.1"
    assert again.metadata["replay_of"] == flow.id
    assert again.server_conn.sni == "example.test"
    assert origin.requests[0] == origin.requests[1]
    assert origin.connections == 1
    assert recorder.of("response") == [flow, again]


async def test_a_request_made_by_hand_without_a_listener(field: Field) -> None:
    proxy = await field.proxy("replay", server=False)
    origin = await field.origin()
    request = Request.make("PUT", f"https://example.test:{origin.port}/made", b"body")
    flow = http_flow(request, None)
    again = await proxy.replay(flow)
    assert again is flow
    assert again.error is None
    assert again.response
    assert again.response.content == b"PUT /made HTTP/1.1"
    assert again.server_conn.tls_established
    assert f"Host: example.test:{origin.port}".encode() in origin.requests[0]


async def test_many_at_a_time(field: Field) -> None:
    """Features 86, as far as it is about sending: exactly a hundred, ten at a time."""
    proxy = await field.proxy("replay", client_replay_concurrency=10, server=False)
    origin = await field.plain_origin()
    done: list[HTTPFlow] = []
    all_done = asyncio.Event()

    class Count:
        def flow_end(self, flow: HTTPFlow) -> None:
            done.append(flow)
            if len(done) == 100:
                all_done.set()

    proxy.addons.add(Count())
    made = http_flow(f"http://127.0.0.1:{origin.port}/x", 200)
    flows = proxy.commands.call("replay.client", [made] * 100)
    assert len({flow.id for flow in flows}) == 100
    await all_done.wait()
    assert len(origin.requests) == 100
    assert origin.connections <= 10
    assert {flow.metadata["replay_of"] for flow in done} == {made.id}
    assert proxy.live_flows == []


async def test_a_breakpoint_over_tls(field: Field) -> None:
    """Features 56 and 57."""
    paused, options = Paused(), {"intercept": "~u /held & ~q", "intercept_timeout": 0}
    proxy = await field.proxy("flows", "intercept", paused, **options)
    origin = await field.origin()
    talk = await field.secure(proxy, origin.port)
    asking = asyncio.create_task(talk.get("/held"))
    pause: Any = await paused.pauses.get()
    assert origin.connections == 0
    proxy.commands.execute(f"flow.set {pause.flow.id} path /released")
    proxy.commands.execute(f"flow.resume {pause.flow.id}")
    assert (await asking).endswith(b"GET /released HTTP/1.1")
