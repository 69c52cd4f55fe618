"""flow.intercept() and resume(): a flow is held at the end of any hook, edited, and goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from proxyfw.http import HTTPFlow, Response
from proxyfw.testing import Recorder, world

GET = b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
HOOKS = ["requestheaders", "request", "responseheaders", "response"]


class Breakpoint:
    """Intercepts in one hook, after which another addon is still called."""

    def __init__(self, hook: str) -> None:
        self.held: asyncio.Queue[HTTPFlow] = asyncio.Queue()
        setattr(self, hook, self.stop)

    def stop(self, flow: HTTPFlow) -> None:
        flow.intercept()
        self.held.put_nowait(flow)


@pytest.mark.parametrize("hook", HOOKS)
async def test_a_flow_is_held_after_any_hook_and_goes_on_as_it_was_edited(hook: str) -> None:
    """5.6.103."""
    stop, recorder = Breakpoint(hook), Recorder()
    async with world(addons=[stop, recorder]) as w:
        origin = w.origin()
        client = w.client()
        client.write(GET)
        if hook in HOOKS[2:]:
            (await origin.accept()).write(OK)
        flow = await stop.held.get()
        other = w.client()  # the proxy goes on meanwhile
        other.write(b"GET / HTTP/1.0\r\n\r\n")
        await other.rest()
        assert recorder.hooks == HOOKS[: HOOKS.index(hook) + 1]
        assert flow.intercepted
        if hook in HOOKS[:2]:
            flow.request.headers["X-Edited"] = "yes"
        else:
            assert flow.response
            flow.response.headers["X-Edited"] = "yes"
        flow.resume()
        if hook in HOOKS[:2]:
            server = await origin.accept()
            assert b"X-Edited: yes\r\n" in await server.head()
            server.write(OK)
        assert (b"X-Edited: yes\r\n" in await client.head()) is (hook in HOOKS[2:])
        await w.ended()
    assert recorder.hooks == [*HOOKS, "flow_end"]


async def test_a_held_request_may_be_answered() -> None:
    """5.6.103: then nothing is dialled."""
    stop = Breakpoint("request")
    async with world(addons=[stop]) as w:
        client = w.client()
        client.write(GET)
        flow = await stop.held.get()
        flow.response = Response.make(200, b"by hand")
        flow.resume()
        assert (await client.message()).endswith(b"\r\n\r\nby hand")
        assert w.network.dialled == []


@pytest.mark.parametrize("act", [HTTPFlow.resume, HTTPFlow.kill])
async def test_a_thread_may_resume_and_kill(act: Callable[[HTTPFlow], None]) -> None:
    """The event loop must hear of it as threads tell it something; in debug mode it insists."""
    stop = Breakpoint("request")
    async with world(addons=[stop]) as w:
        asyncio.get_running_loop().set_debug(True)
        client = w.client()
        client.write(GET)
        flow = await stop.held.get()
        flow.response = Response.make(200, b"in time")
        waiting = asyncio.create_task(flow.wait_for_resume())
        await asyncio.sleep(0)
        await asyncio.to_thread(act, flow)
        await waiting
        seen = await (client.message() if act is HTTPFlow.resume else client.rest())
        assert (b"in time" in seen) is (act is HTTPFlow.resume)


async def test_several_may_wait_for_one_resume() -> None:
    """The proxy and an addon that waits within its hook."""
    stop = Breakpoint("request")
    resumed: list[bool] = []

    class Waits:
        async def request(self, flow: HTTPFlow) -> None:
            await flow.wait_for_resume()
            resumed.append(True)

    async with world(addons=[stop, Waits()]) as w:
        origin = w.origin()
        client = w.client()
        client.write(GET)
        flow = await stop.held.get()
        watcher = asyncio.create_task(flow.wait_for_resume())
        await asyncio.sleep(0)
        flow.resume()
        await watcher
        await origin.accept()
        assert resumed


async def test_an_addon_that_waits_for_a_flow_that_is_killed_goes_on_quietly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stop = Breakpoint("request")
    went_on = asyncio.Event()

    class Waits:
        async def request(self, flow: HTTPFlow) -> None:
            await flow.wait_for_resume()
            went_on.set()

    async with world(addons=[stop, Waits()]) as w:
        client = w.client()
        client.write(GET)
        flow = await stop.held.get()
        flow.kill()
        await went_on.wait()
        await client.rest()
        await w.ended()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_connect_is_held_too() -> None:
    stop = Breakpoint("http_connect")
    async with world(addons=[stop]) as w:
        client = w.client()
        client.write(b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n")
        flow = await stop.held.get()
        assert client.received == b""
        flow.response = Response.make(403, b"no")
        flow.resume()
        assert (await client.message()).startswith(b"HTTP/1.1 403 ")


async def test_a_client_may_leave_while_connect_is_held() -> None:
    stop = Breakpoint("http_connect")
    async with world(addons=[stop]) as w:
        client = w.client()
        client.write(b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n")
        flow = await stop.held.get()
        client.abort()
        assert await w.ended() == [flow]
        assert flow.error
