"""Scripts about everything but requests and responses, as they are written for mitmproxy."""

from __future__ import annotations

import asyncio
import base64
import logging
from pathlib import Path
from types import ModuleType

import pytest
from compat_talks import SCRIPTS, Talk, WebSocketEnd, talk

from proxyfw import ctx, io, testing
from proxyfw.dns import DNSMessage, Question, ResponseCode
from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow
from proxyfw.protocol.dns import pack, unpack
from proxyfw.tcp import TCPFlow

KEY = base64.b64encode(b"0123456789abcdef")
ACCEPT = b"BACScCJPNqyz+UBoqMH89VmURoA="
UPGRADE = (
    b"GET http://sockets.example/ HTTP/1.1\r\nHost: sockets.example\r\n"
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n\r\n"
)


def script(name: str) -> str:
    return str(SCRIPTS / f"{name}.py")


# Options and life


async def test_add_option(caplog: pytest.LogCaptureFixture) -> None:
    async with talk("add_option", addheader=7) as t:
        assert b"addheader: 7\r\n" in await t.get()
        with pytest.raises(OptionsError, match="<= 100"):
            t.world.proxy.options.update(addheader=101)
        assert t.world.proxy.options.addheader == 7
        t.world.proxy.options.set("words=b", "words=c", "on")
        assert list(t.world.proxy.options.words) == ["b", "c"]
        t.world.proxy.options.addheader = None
        assert b"addheader" not in await t.get()


async def test_lifecycle() -> None:
    async with talk("lifecycle") as t:
        happened = t.module.happened
        assert [what.split()[0] for what in happened][:2] == ["load", "configure"]
        assert happened[-1] == "running 127.0.0.1"
    assert happened[-1] == "done"


async def test_leftovers_are_there_and_say_that_they_do_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with talk("leftovers", default_addons=("access",), showhost=True) as t:
        await t.get()
        assert t.world.proxy.options.upstream_cert is False
    assert "option upstream_cert has no effect in proxyfw" in caplog.text
    assert "option showhost has no effect" in caplog.text


async def test_stop() -> None:
    async with talk("stop") as t:
        await t.get()
        async with asyncio.timeout(5):
            await t.world.proxy._stopping.wait()


async def test_printing(capsys: pytest.CaptureFixture[str]) -> None:
    async with talk("printing", default_addons=("dumper",)) as t:
        await t.get()
        await t.world.ended()
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["url: http://example.com/path 200", "written"]
    assert "example.com/path" in lines[2]


async def test_log_handler() -> None:
    async with talk("log_handler") as t:
        await t.get()
        seen, handler = t.module.seen, t.module.handler
        assert (True, "heard") in seen
    assert handler not in logging.getLogger().handlers


# Files, filters, views


async def test_written_flows_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    file = tmp_path / "flows.mitm"
    monkeypatch.setenv("COMPAT_FILE", str(file))
    async with talk("write_flows") as t:
        await t.get()
    flows = io.read_flows_from_paths([file])
    assert [flow.request.pretty_url for flow in flows if isinstance(flow, HTTPFlow)] == [
        "http://example.com/path"
    ] * 2
    file.write_bytes(file.read_bytes()[:-3])
    async with talk("read_flows") as t:
        pass
    assert caplog.text.count("read example.com") == 1
    assert "damaged: " in caplog.text


async def test_content_view() -> None:
    async with talk("content_view") as t:
        await t.get()
        (flow,) = await t.world.ended()
        assert isinstance(flow, HTTPFlow)
        assert flow.response
        with ctx.use(t.world.proxy):
            from proxyfw import contentviews

            assert contentviews.prettify_message(flow.response, flow).text.strip() == "BODY"


# Connections


async def test_connect_elsewhere() -> None:
    async with talk("connect_elsewhere") as t:
        t.serve("other.example", 8081)
        await t.get()
        assert t.asked[0].startswith(b"GET /path HTTP/1.1\r\nHost: example.com\r\n")


async def test_clients(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with talk("clients") as t:
        client = t.world.client()
        client.write(b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
        await client.message()
        client.close()
    assert "connected " in caplog.text
    assert "regular" in caplog.text
    assert "gone True" in caplog.text


async def tunnel(t: Talk, first: bytes) -> testing.End:
    client = t.world.client()
    client.write(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
    await client.head()
    client.write(first)
    return client


async def test_tcp_edit(capsys: pytest.CaptureFixture[str]) -> None:
    async with talk("tcp_edit") as t:
        origin = t.world.origin("example.com", 443)
        client = await tunnel(t, b"\x00 foo")
        server = await origin.accept()
        assert await server.exactly(5) == b"\x00 bar"
        server.write(b"foo")
        assert await client.exactly(3) == b"foo"
        client.close()
        server.close()
        flow = next(flow for flow in await t.world.ended(2) if isinstance(flow, TCPFlow))
        assert flow.metadata["seen"] == 2
        assert flow.comment == "over"
    assert capsys.readouterr().out.splitlines() == ["\\x00 bar", "foo"]


async def test_choose_tcp(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with talk("choose_tcp") as t:
        origin = t.world.origin("example.com", 443)
        client = await tunnel(t, b"GET / HTTP/1.1\r\n\r\n")
        server = await origin.accept()
        assert await server.head() == b"GET / HTTP/1.1\r\n\r\n"
        client.close()
        server.close()
        await t.world.ended(2)
    assert "('example.com', 443) b'GET'" in caplog.text
    assert "tcp b'GET / HTTP/1.1'" in caplog.text


def client_hello(sni: str) -> bytes:
    import ssl

    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=sni)
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


async def test_pass_through(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with talk("pass_through") as t:
        origin = t.world.origin("example.com", 443)
        hello = client_hello("example.com")
        client = await tunnel(t, hello)
        server = await origin.accept()
        assert await server.exactly(len(hello)) == hello
        client.close()
        server.close()
    assert "for example.com" in caplog.text


async def websocket(t: Talk) -> tuple[WebSocketEnd, WebSocketEnd]:
    origin = t.world.origin("sockets.example", 80)
    client = t.world.client()
    client.write(UPGRADE)
    server = await origin.accept()
    await server.head()
    server.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n\r\n"
    )
    await client.head()
    return WebSocketEnd(client, client=True), WebSocketEnd(server, client=False)


async def test_websocket_edit() -> None:
    async with talk("websocket_edit") as t:
        client, server = await websocket(t)
        client.text("Hello there")
        assert await server.data() == b"HAPPY there"
        server.text("a secret", "open")
        assert await client.data() == b"open"


async def test_inject() -> None:
    async with talk("inject", default_addons=("inject",)) as t:
        client, server = await websocket(t)
        client.text("one")
        assert await server.data() == b"one"
        assert await client.data() == b"injected"


async def test_dns_answer() -> None:
    async with testing.world(
        scripts=[script("dns_answer")], mode=["dns@53"], dns_name_servers=["192.0.2.53"]
    ) as world:
        client = world.datagram_client()
        client.send(pack(DNSMessage(0.0, 7, True, questions=[Question("example.com")])))
        answer = unpack((await client.receive())[0])
        assert str(answer.answers[0]) == "192.0.2.7"
        client.send(pack(DNSMessage(0.0, 8, True, questions=[Question("other.example")])))
        answer = unpack((await client.receive())[0])
        assert answer.response_code == ResponseCode.NXDOMAIN


# All of them


def test_every_script_is_used_by_a_test() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    names = [path.stem for path in SCRIPTS.glob("*.py")]
    assert len(names) >= 40
    assert [name for name in names if f'"{name}"' not in tests] == []


def test_no_script_leaves_the_others_name_behind() -> None:
    import sys

    assert not [name for name in sys.modules if name.partition(".")[0] == "mitmproxy"]
    assert isinstance(sys.modules["proxyfw.http"], ModuleType)
