"""Faults, in addons and in our own layers: they end one exchange, are told once, and the proxy serves on."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from proxyfw.core import ending, heads
from proxyfw.core.body import Passage
from proxyfw.core.exchange import Exchange
from proxyfw.core.origin_peer import OriginPeer
from proxyfw.core.pool import Pool
from proxyfw.http import HTTPFlow
from proxyfw.net.wire import Wire
from proxyfw.protocol.http1 import ClientCodec, ServerCodec
from proxyfw.testing import Recorder, World, world

GET = b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def break_once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Have the next call of a function raise; later ones work."""
    whole = getattr(owner, name)
    broken = [True]

    def maybe(*args: Any, **kwargs: Any) -> Any:
        if broken:
            broken.clear()
            raise ZeroDivisionError(name)
        return whole(*args, **kwargs)

    monkeypatch.setattr(owner, name, maybe)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


class Answering:
    """A connection to an origin that answers whatever it gets."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        wire.attach(self)

    def data_received(self, data: bytes) -> None:
        self.wire.write(OK)

    def eof_received(self) -> None:
        self.wire.close()

    def connection_lost(self, reason: Exception | None) -> None: ...

    def writable_changed(self) -> None: ...


def serve(w: World) -> None:
    """Have every request to example.com answered."""
    w.network.hosts["example.com"] = ["192.0.2.80"]
    answering: list[Answering] = []
    w.network.serve(("192.0.2.80", 80), lambda wire: answering.append(Answering(wire)))


@pytest.mark.parametrize(
    ("owner", "name", "streams"),
    [
        (Exchange, "_receive_request", False),
        (Exchange, "_fetch_response", False),
        (Exchange, "_receive_response", False),
        (Exchange, "_answer", False),
        (Exchange, "_end_answer", True),
        (ending, "error_answer", False),
        (Passage, "add", True),
        (heads, "request_head", False),
        (heads, "response_head", False),
        (Pool, "open", False),
        (Pool, "dial", False),
        (ClientCodec, "send", False),
        (ClientCodec, "receive", False),
        (ServerCodec, "send", False),
    ],
)
async def test_a_fault_of_ours_ends_one_exchange_with_502_or_a_reset(
    owner: Any, name: str, streams: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """5.6.119: error hook (unless the addons have seen the response), one line in the log."""
    recorder = Recorder()
    if name == "error_answer":
        break_once(monkeypatch, Pool, "open")
    break_once(monkeypatch, owner, name)
    async with world(addons=[recorder], stream_large_bodies="1" if streams else "5m") as w:
        serve(w)
        client, other = w.client(), w.client()
        client.write(GET)
        answer = await client.rest()
        if streams or name == "error_answer":
            assert client.reset
        else:
            assert answer.startswith(b"HTTP/1.1 502 ")
            assert b"internal error: ZeroDivisionError" in answer
        first = (await w.ended())[0]
        assert first.error
        hooks = recorder.hooks[:]
        other.write(GET)
        assert await other.message() == OK
        await w.ended(2)
    assert hooks[-1] == "flow_end"
    assert hooks.count("flow_end") == 1
    assert sum(hook.startswith("error") or hook == "response" for hook in hooks) == 1
    assert len(errors(caplog)) == 1
    assert "internal error" in errors(caplog)[0]


@pytest.mark.parametrize(
    ("owner", "name"), [(OriginPeer, "release"), (heads, "request_from"), (ServerCodec, "receive")]
)
async def test_a_fault_around_an_exchange_ends_its_connection_only(
    owner: Any, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """5.6.119: before there is a flow, or after its answer."""
    recorder = Recorder()
    break_once(monkeypatch, owner, name)
    async with world(addons=[recorder]) as w:
        serve(w)
        client, other = w.client(), w.client()
        client.write(GET)
        await client.rest()
        hooks = recorder.hooks[:]
        assert hooks.count("flow_end") == (name == "release")
        other.write(GET)
        assert await other.message() == OK
    assert len(errors(caplog)) == 1


async def test_an_addon_that_raises_keeps_nobody_from_anything(caplog: pytest.LogCaptureFixture) -> None:
    """5.6.96: later addons get the hook, the flow goes on, and remembers."""

    class Broken:
        def requestheaders(self, flow: HTTPFlow) -> None:
            raise KeyError("plain")

        async def request(self, flow: HTTPFlow) -> None:
            raise KeyError("async")

        def responseheaders(self, flow: HTTPFlow) -> None:
            raise KeyError

        def response(self, flow: HTTPFlow) -> None:
            raise KeyError

        def flow_end(self, flow: HTTPFlow) -> None:
            raise KeyError

    recorder = Recorder()
    async with world(addons=[Broken(), recorder]) as w:
        serve(w)
        client = w.client()
        client.write(GET)
        assert await client.message() == OK
        flow = (await w.ended())[0]
    assert recorder.hooks == ["requestheaders", "request", "responseheaders", "response", "flow_end"]
    assert len(errors(caplog)) == 5
    assert len(flow.addon_errors) == 5


async def test_an_addon_that_raises_in_the_error_hook_or_at_connections_is_no_worse(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """5.6.96."""

    class Broken:
        def error(self, flow: HTTPFlow) -> None:
            raise KeyError

        def client_connected(self, client: object) -> None:
            raise KeyError

        def server_connect(self, data: object) -> None:
            raise KeyError

        def server_connect_error(self, data: object) -> None:
            raise KeyError

        def client_disconnected(self, client: object) -> None:
            raise KeyError

    recorder = Recorder()
    async with world(addons=[Broken(), recorder]) as w:
        client = w.client()
        client.write(GET)
        assert (await client.rest()).startswith(b"HTTP/1.1 502 ")
        await w.ended()
    assert recorder.hooks[-1] == "flow_end"
    assert len(errors(caplog)) == 5


async def test_a_hook_that_waits_delays_its_own_flow_only() -> None:
    """5.6.100."""
    async with world() as w:
        serve(w)
        gate = w.gate("request")
        client = w.client()
        client.write(GET)
        await gate.reached()
        mine = next(addon for addon in w.proxy.addons.chain if type(addon).__name__ == "GateKeeper")
        w.proxy.addons.remove(mine)  # flows under way keep the hooks they began with
        other = w.client()
        other.write(GET)
        assert await other.message() == OK
        assert client.received == b""
        gate.release()
        assert await client.message() == OK
