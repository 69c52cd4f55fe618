"""flow.kill() at any time: both sides are closed at once, nothing more is sent, the flow ends once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from proxyfw.exceptions import ProxyfwError
from proxyfw.flow import Error
from proxyfw.http import HTTPFlow, Response
from proxyfw.net.wire import Address, Wire
from proxyfw.testing import End, Recorder, World, world

GET = b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n"
POST = b"POST http://example.com/ HTTP/1.1\r\nHost: example.com\r\nContent-Length: 6\r\n\r\nabc"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
CONNECT = b"CONNECT raw.test:2000 HTTP/1.1\r\nHost: raw.test:2000\r\n\r\n"
HOOKS = ["requestheaders", "request", "responseheaders", "response"]
KILLED = f"error: {Error.KILLED_MESSAGE}"


def expected(hook: str) -> list[str]:
    """What a recorder before the killer sees: response or error, never both."""
    seen = HOOKS[: HOOKS.index(hook) + 1]
    return [*seen, "flow_end"] if hook == "response" else [*seen, KILLED, "flow_end"]


async def begin(w: World, hook: str) -> End:
    """A client whose request has got as far as *hook*."""
    origin = w.origin()
    client = w.client()
    client.write(GET)
    if hook in HOOKS[2:]:
        (await origin.accept()).write(OK)
    return client


@pytest.mark.parametrize("hook", HOOKS)
async def test_an_addon_kills_in_a_hook(hook: str) -> None:
    """5.6.102: in requestheaders and request nothing is sent to the origin."""
    killer = type("Killer", (), {hook: staticmethod(HTTPFlow.kill)})()
    recorder = Recorder()
    async with world(addons=[recorder, killer]) as w:
        client = await begin(w, hook)
        assert await client.rest() == b""
        assert client.reset
        await w.ended()
        assert len(w.network.dialled) == (hook in HOOKS[2:])
    assert recorder.hooks == expected(hook)


@pytest.mark.parametrize("hook", HOOKS)
async def test_another_task_kills_while_a_hook_is_held(hook: str) -> None:
    """5.6.102: the client does not wait for the hook."""
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        gate = w.gate(hook)
        client = await begin(w, hook)
        flow = await gate.reached()
        flow.kill()
        assert await client.rest() == b""
        assert client.reset
        gate.release()
        assert await w.ended() == [flow]
        assert not flow.killable
    assert recorder.hooks == expected(hook)


@pytest.mark.parametrize("hook", HOOKS)
async def test_an_intercepted_flow_is_killed(hook: str) -> None:
    """5.6.102 and 5.6.103."""
    held: asyncio.Queue[HTTPFlow] = asyncio.Queue()

    def intercept(flow: HTTPFlow) -> None:
        flow.intercept()
        held.put_nowait(flow)

    recorder = Recorder()
    async with world(addons=[recorder, type("Intercepts", (), {hook: staticmethod(intercept)})()]) as w:
        client = await begin(w, hook)
        (await held.get()).kill()
        assert await client.rest() == b""
        await w.ended()
    assert recorder.hooks == expected(hook)


async def test_a_flow_that_an_addon_answered_is_killed_by_another() -> None:
    class Mock:
        def request(self, flow: HTTPFlow) -> None:
            flow.response = Response.make(200, b"mine")

    class Killer:
        def request(self, flow: HTTPFlow) -> None:
            flow.kill()

    recorder = Recorder()
    async with world(addons=[recorder, Mock(), Killer()]) as w:
        client = w.client()
        client.write(GET)
        assert await client.rest() == b""
        await w.ended()
    assert recorder.hooks == expected("request")


async def test_kill_while_the_origin_is_dialled() -> None:
    """5.6.102: the dial is given up."""
    dialling: asyncio.Queue[HTTPFlow | None] = asyncio.Queue()
    cancelled: list[bool] = []

    async def never(addresses: Sequence[Address], timeout: float = 30) -> Wire:
        dialling.put_nowait(None)
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)
        raise AssertionError

    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        w.network.connect = never  # type: ignore[method-assign]
        gate = w.gate("request")
        client = w.client()
        client.write(GET)
        flow = await gate.reached()
        gate.release()
        await dialling.get()
        flow.kill()
        assert await client.rest() == b""
        await w.ended()
    assert cancelled
    assert recorder.hooks == expected("request")


@pytest.mark.parametrize("phase", ["upload", "wait", "buffer", "relay"])
async def test_kill_while_bytes_are_moving(phase: str) -> None:
    """5.6.102: uploading, waiting for the head, for the body, relaying the body."""
    recorder = Recorder()
    async with world(addons=[recorder], stream_large_bodies="5m" if phase == "buffer" else "1") as w:
        origin = w.origin()
        gate, later = w.gate("request"), w.gate("responseheaders")
        client = w.client()
        client.write(POST if phase == "upload" else GET)
        flow = await gate.reached()
        gate.release()
        server = await origin.accept()
        await server.head()
        if phase == "upload":
            await server.exactly(3)
        if phase in ("buffer", "relay"):
            server.write(CHUNKED)
            await later.reached()
            later.release()
        if phase == "relay":
            await client.until(lambda received: received.endswith(b"abc\r\n"))
        flow.kill()
        assert await client.rest() == b""
        assert await server.rest() == b""
        assert client.reset
        assert server.reset
        await w.ended()
    assert recorder.hooks == expected("request" if phase in ("upload", "wait") else "responseheaders")


async def test_kill_concerns_one_flow_only() -> None:
    async with world() as w:
        origin = w.origin()
        gate = w.gate("requestheaders")
        client = w.client()
        client.write(GET)
        flow = await gate.reached()
        gate.release()
        server = await origin.accept()
        other = w.client()
        other.write(GET)
        untouched = await origin.accept()
        flow.kill()
        await server.rest()
        await untouched.head()
        untouched.write(OK)
        assert await other.message() == OK


async def test_what_is_over_cannot_be_killed() -> None:
    async with world() as w:
        client = await begin(w, "response")
        await client.message()
        flow = (await w.ended())[0]
        assert not flow.killable
        with pytest.raises(ProxyfwError, match="over"):
            flow.kill()


async def test_connect_is_killed_in_its_hook() -> None:
    """5.6.102: the client gets no tunnel, and no answer."""

    class Killer:
        def http_connect(self, flow: HTTPFlow) -> None:
            flow.kill()

    async with world(addons=[Killer()]) as w:
        client = w.client()
        client.write(CONNECT)
        assert await client.rest() == b""
        assert client.reset
        assert [flow.error for flow in await w.ended()] != [None]


async def test_an_open_tunnel_is_killed() -> None:
    """5.6.102."""
    async with world() as w:
        origin = w.origin("raw.test", 2000)
        gate = w.gate("http_connected")
        client = w.client()
        client.write(CONNECT)
        flow = await gate.reached()
        gate.release()
        await client.head()
        client.write(b"\x00raw")
        server = await origin.accept()
        await server.exactly(4)
        flow.kill()
        assert await client.rest() == b""
        assert await server.rest() == b""
        assert flow in await w.ended()
