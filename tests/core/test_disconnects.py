"""Either side leaves, in every phase: nobody is left waiting, and addons learn of it once."""

from __future__ import annotations

import asyncio

import pytest

from proxyfw.http import HTTPFlow
from proxyfw.testing import End, Recorder, World, world

GET = b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n"
POST = b"POST http://example.com/ HTTP/1.1\r\nHost: example.com\r\nContent-Length: 6\r\n\r\nabc"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
HOOKS = ["requestheaders", "request", "responseheaders", "response"]


def assert_ended_once(recorder: Recorder) -> None:
    names = [hook.partition(":")[0] for hook in recorder.hooks]
    assert names[-1] == "flow_end"
    assert len(set(names)) == len(names)
    assert ("error" in names) != ("response" in names)


async def ask(w: World, request: bytes = GET) -> tuple[End, End]:
    origin = w.origin()
    client = w.client()
    client.write(request)
    server = await origin.accept()
    await server.head()
    return client, server


async def test_a_client_that_leaves_takes_its_upstream_request_with_it() -> None:
    """5.1.32."""
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        client, server = await ask(w)
        client.abort()
        await server.rest()
        assert server.reset
        await w.ended()
    assert recorder.hooks == ["requestheaders", "request", "error: client disconnected", "flow_end"]


async def test_a_client_that_closes_does_so_too_after_half_close_timeout() -> None:
    """5.1.32: at first its FIN may mean that it only finished sending."""
    recorder = Recorder()
    async with world(addons=[recorder], half_close_timeout=0.001) as w:
        client, server = await ask(w)
        client.close()
        await server.rest()
        assert server.reset
        await w.ended()
    assert recorder.hooks == ["requestheaders", "request", "error: client disconnected", "flow_end"]


async def test_a_client_that_only_finished_sending_is_answered() -> None:
    """5.1.35."""
    async with world() as w:
        client, server = await ask(w)
        client.write_eof()
        server.write(OK)
        assert (await client.rest()).endswith(b"\r\n\r\nhi")


async def test_nothing_is_fetched_for_a_client_that_left_at_once() -> None:
    """5.1.32: its request and its leave arrive together."""
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        client = w.client()
        for _ in range(20):  # until the proxy waits for a request
            await asyncio.sleep(0)
        client.write(GET)
        client.abort()
        await w.ended()
        assert w.network.dialled == []
    assert recorder.hooks == ["requestheaders", "error: client disconnected", "flow_end"]


@pytest.mark.parametrize("hook", HOOKS)
async def test_a_client_may_leave_during_any_hook(hook: str) -> None:
    """5.1.32: the hook is not broken off, what follows is."""
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        origin = w.origin()
        gate = w.gate(hook)
        client = w.client()
        client.write(GET)
        if hook in HOOKS[2:]:
            server = await origin.accept()
            server.write(OK)
        await gate.reached()
        client.abort()
        gate.release()
        flow = (await w.ended())[0]
        assert flow.error
        assert flow.error.msg == "client disconnected"
        assert len(w.network.dialled) == (hook in HOOKS[2:])
    assert_ended_once(recorder)
    assert recorder.hooks[: HOOKS.index(hook) + 1] == HOOKS[: HOOKS.index(hook) + 1]


@pytest.mark.parametrize("hook", HOOKS)
async def test_a_client_may_leave_while_its_flow_is_intercepted(hook: str) -> None:
    """5.6.103."""
    recorder = Recorder()
    intercepted = asyncio.Event()

    def intercept(flow: HTTPFlow) -> None:
        flow.intercept()
        intercepted.set()

    async with world(addons=[recorder, type("Intercepts", (), {hook: staticmethod(intercept)})()]) as w:
        origin = w.origin()
        client = w.client()
        client.write(GET)
        if hook in HOOKS[2:]:
            (await origin.accept()).write(OK)
        await intercepted.wait()
        client.abort()
        flow = (await w.ended())[0]
        assert flow.error
        assert not flow.intercepted
    assert_ended_once(recorder)


@pytest.mark.parametrize("leave", ["abort", "write_eof"])
@pytest.mark.parametrize("limit", ["5m", "1"])
async def test_a_client_may_leave_within_its_body(limit: str, leave: str) -> None:
    """5.1.32 and 5.1.13 the other way round: who finished sending too early is told so."""
    recorder = Recorder()
    async with world(addons=[recorder], stream_large_bodies=limit) as w:
        origin = w.origin()
        gate = w.gate("requestheaders")
        client = w.client()
        client.write(POST)
        await gate.reached()
        gate.release()
        if limit == "1":
            server = await origin.accept()
            await server.until(lambda received: received.endswith(b"abc"))
        getattr(client, leave)()
        if leave == "write_eof":
            answer = await client.rest()
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert b"expected 6 bytes, received 3" in answer
        if limit == "1":
            await server.rest()
            assert server.reset
        await w.ended()
    assert_ended_once(recorder)


@pytest.mark.parametrize("limit", ["5m", "1"])
async def test_a_client_may_leave_within_the_answer(limit: str) -> None:
    """5.1.32."""
    recorder = Recorder()
    async with world(addons=[recorder], stream_large_bodies=limit) as w:
        gate = w.gate("responseheaders")
        client, server = await ask(w)
        server.write(CHUNKED)
        await gate.reached()
        gate.release()
        if limit == "1":
            await client.until(lambda received: received.endswith(b"abc\r\n"))
        client.abort()
        await server.rest()
        assert server.reset
        await w.ended()
    assert recorder.hooks == [*HOOKS[:3], "error: client disconnected", "flow_end"]


@pytest.mark.parametrize("leave", ["close", "abort"])
@pytest.mark.parametrize(
    ("limit", "said", "status"),
    [
        ("5m", b"", b"502"),
        ("5m", b"HTTP/1.1 200", b"502"),
        ("5m", CHUNKED, b"502"),
        ("1", CHUNKED, b"200"),
    ],
)
async def test_an_origin_may_leave_at_any_time(limit: str, said: bytes, status: bytes, leave: str) -> None:
    """5.1.13 and 5.1.14."""
    recorder = Recorder()
    async with world(addons=[recorder], stream_large_bodies=limit) as w:
        gate = w.gate("responseheaders")
        client, server = await ask(w)
        if said:
            server.write(said)
        if said == CHUNKED:
            await gate.reached()
            gate.release()
            if limit == "1":
                await client.until(lambda received: received.endswith(b"abc\r\n"))
        getattr(server, leave)()
        answer = await client.rest()
        if status == b"502":
            assert answer.startswith(b"HTTP/1.1 502 ")
        else:
            assert answer == b""
            assert client.reset
        await w.ended()
    assert_ended_once(recorder)
    assert "response" not in recorder.hooks


@pytest.mark.parametrize("leave", ["close", "abort"])
async def test_an_origin_may_leave_within_an_upload(leave: str) -> None:
    recorder = Recorder()
    async with world(addons=[recorder], stream_large_bodies="1") as w:
        client, server = await ask(w, POST)
        await server.exactly(3)
        getattr(server, leave)()
        assert (await client.rest()).startswith(b"HTTP/1.1 502 ")
        await w.ended()
    assert_ended_once(recorder)


async def test_an_origin_may_leave_within_a_hook_of_its_complete_answer() -> None:
    """Nothing is lost then."""
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        gate = w.gate("responseheaders")
        client, server = await ask(w)
        server.write(OK)
        await gate.reached()
        server.abort()
        gate.release()
        assert await client.message() == OK
        await w.ended()
    assert recorder.hooks == [*HOOKS, "flow_end"]


async def test_a_proxy_that_stops_ends_what_is_under_way() -> None:
    """5.6.116, in memory: the flow ends, once, with the reason."""
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        client, server = await ask(w)
        idle = w.client()
    assert await client.rest() == b""
    await server.rest()
    assert server.reset
    assert await idle.rest() == b""
    assert recorder.hooks == ["requestheaders", "request", "error: the proxy is stopping", "flow_end"]


@pytest.mark.parametrize("hook", HOOKS)
async def test_a_proxy_that_stops_ends_flows_that_a_hook_holds(hook: str) -> None:
    """5.6.116: even one that would never return."""
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        origin = w.origin()
        gate = w.gate(hook)
        client = w.client()
        client.write(GET)
        if hook in HOOKS[2:]:
            (await origin.accept()).write(OK)
        await gate.reached()
    assert await client.rest() == b""
    assert_ended_once(recorder)
