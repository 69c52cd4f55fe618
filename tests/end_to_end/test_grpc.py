"""gRPC by grpcio through the proxy: unary, streams both ways, errors, and without TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from ends import Field, Recorder

from proxyfw.http import HTTPFlow
from proxyfw.proxy import Proxy

grpc: Any = pytest.importorskip("grpc", reason="grpcio is not installed")

pytestmark = pytest.mark.end_to_end
PATIENCE = 20


class Service:
    """What the server does; messages are bytes."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()

    async def echo(self, request: bytes, context: Any) -> bytes:
        """Unary: the request, with what came in metadata sent back in trailers."""
        asked = dict(context.invocation_metadata()).get("x-asked", "")
        context.set_trailing_metadata((("x-answered", asked),))
        return b"echo:" + request

    async def fail(self, request: bytes, context: Any) -> bytes:
        """Unary: an error with a text."""
        await context.abort(grpc.StatusCode.NOT_FOUND, "nothing like ümlaut here")
        raise AssertionError

    async def count(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        """Server streaming: numbers."""
        for n in range(int(request)):
            yield b"%d" % n

    async def gather(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        """Client streaming: all messages joined."""
        return b",".join([request async for request in requests])

    async def talk(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """Bidirectional streaming: each answer before the next request."""
        async for request in requests:
            yield b"heard:" + request

    async def wait(self, request: bytes, context: Any) -> bytes:
        """Unary: never answers."""
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()
        raise AssertionError

    def handlers(self) -> Any:
        methods = {
            "echo": grpc.unary_unary_rpc_method_handler(self.echo),
            "fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "wait": grpc.unary_unary_rpc_method_handler(self.wait),
            "count": grpc.unary_stream_rpc_method_handler(self.count),
            "gather": grpc.stream_unary_rpc_method_handler(self.gather),
            "talk": grpc.stream_stream_rpc_method_handler(self.talk),
        }
        return grpc.method_handlers_generic_handler("test.Service", methods)


@asynccontextmanager
async def serving(field: Field, service: Service, *, tls: bool = True) -> AsyncIterator[int]:
    """A server's port."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((service.handlers(),))
    if tls:
        leaf = field.authority.issue(["example.test"])
        pem = leaf.to_pem()
        credentials = grpc.ssl_server_credentials([(pem, pem)])
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


@asynccontextmanager
async def channel(proxy: Proxy, port: int, *, tls: bool = True) -> AsyncIterator[Any]:
    """A client's channel through *proxy*."""
    target, options = f"example.test:{port}", [("grpc.http_proxy", proxy.url)]
    if tls:
        credentials = grpc.ssl_channel_credentials(proxy.ca_cert_path.read_bytes())
        made = grpc.aio.secure_channel(target, credentials, options)
    else:
        made = grpc.aio.insecure_channel(target, options)
    async with made:
        yield made


async def messages(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "cleartext"])
async def test_every_kind_of_call(field: Field, tls: bool) -> None:
    """features 55, 5.4.75: over TLS, and by prior knowledge (5.4.84)."""
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    async with serving(field, Service(), tls=tls) as port, channel(proxy, port, tls=tls) as wire:
        call = wire.unary_unary("/test.Service/echo")(b"hi", metadata=(("x-asked", "yes"),), timeout=PATIENCE)
        assert await call == b"echo:hi"
        assert dict(await call.trailing_metadata())["x-answered"] == "yes"
        counted = wire.unary_stream("/test.Service/count")(b"100", timeout=PATIENCE)
        assert [piece async for piece in counted] == [b"%d" % n for n in range(100)]
        gather = wire.stream_unary("/test.Service/gather")
        assert await gather(messages(b"a", b"b", b"c"), timeout=PATIENCE) == b"a,b,c"
        large = await wire.unary_unary("/test.Service/echo")(bytes(3_000_000), timeout=PATIENCE)
        assert len(large) == 3_000_005
    flows = recorder.of("response")
    assert {flow.response.http_version for flow in flows} == {"HTTP/2.0"}
    assert {flow.response.trailers["grpc-status"] for flow in flows} == {"0"}
    assert [flow.request.path for flow in flows] == [
        f"/test.Service/{method}" for method in ("echo", "count", "gather", "echo")
    ]


async def test_both_sides_take_turns(field: Field) -> None:
    """5.4.75: nothing waits for the end of the request."""
    proxy = await field.proxy()
    async with serving(field, Service()) as port, channel(proxy, port) as wire:
        call = wire.stream_stream("/test.Service/talk")(timeout=PATIENCE)
        for n in range(20):
            await call.write(b"%d" % n)
            assert await call.read() == b"heard:%d" % n
        await call.done_writing()
        assert await call.read() == grpc.aio.EOF
        assert await call.code() == grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("method", "status", "text"),
    [
        ("fail", "NOT_FOUND", "nothing like ümlaut here"),
        ("unknown", "UNIMPLEMENTED", "Method not found!"),
    ],
)
async def test_errors_in_trailers_only(field: Field, method: str, status: str, text: str) -> None:
    """5.4.76; features 55."""
    proxy = await field.proxy()
    async with serving(field, Service()) as port, channel(proxy, port) as wire:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await wire.unary_unary(f"/test.Service/{method}")(b"", timeout=PATIENCE)
    assert (caught.value.code().name, caught.value.details()) == (status, text)


async def test_a_cancelled_call_is_cancelled_at_the_server(field: Field) -> None:
    """5.4.78."""
    recorder, service = Recorder(), Service()
    proxy = await field.proxy(recorder)
    async with serving(field, service) as port, channel(proxy, port) as wire:
        call = wire.unary_unary("/test.Service/wait")(b"", timeout=PATIENCE)
        await recorder.saw("request")
        await wire.unary_unary("/test.Service/echo")(b"", timeout=PATIENCE)
        call.cancel()
        async with asyncio.timeout(PATIENCE):
            await service.cancelled.wait()
        flow = await recorder.saw("error")
        assert str(flow.error) == "client disconnected"


async def test_many_calls_at_once(field: Field) -> None:
    """5.4.71: more than a connection may have at a time."""
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    async with serving(field, Service()) as port, channel(proxy, port) as wire:
        echo = wire.unary_unary("/test.Service/echo")
        answers = await asyncio.gather(*[echo(b"%d" % n, timeout=PATIENCE) for n in range(300)])
    assert answers == [b"echo:%d" % n for n in range(300)]
    assert len({flow.server_conn for flow in recorder.of("response")}) == 1


async def test_an_addon_sees_and_changes_calls(field: Field) -> None:
    class Edit:
        def requestheaders(self, flow: HTTPFlow) -> None:
            flow.request.headers["x-asked"] = "by an addon"

        def response(self, flow: HTTPFlow) -> None:
            assert flow.response
            assert flow.response.trailers is not None
            flow.response.trailers["x-more"] = "added"

    proxy = await field.proxy(Edit())
    async with serving(field, Service()) as port, channel(proxy, port) as wire:
        call = wire.unary_unary("/test.Service/echo")(b"hi", timeout=PATIENCE)
        await call
        trailers = dict(await call.trailing_metadata())
    assert (trailers["x-answered"], trailers["x-more"]) == ("by an addon", "added")


async def test_an_origin_that_is_not_there(field: Field) -> None:
    proxy = await field.proxy()
    port = await field.unused_port()
    async with channel(proxy, port) as wire:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await wire.unary_unary("/test.Service/echo")(b"", timeout=PATIENCE)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
