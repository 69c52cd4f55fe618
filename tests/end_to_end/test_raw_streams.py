"""Raw TCP and UDP on real sockets: servers that greet, half-closed streams, edits, injection, resets."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from ends import PATIENCE, Conversation, Field

from proxyfw.tcp import TCPFlow
from proxyfw.udp import UDPFlow

pytestmark = pytest.mark.end_to_end

BANNER = b"SSH-2.0-OpenSSH_9.9 proxyfw-test\r\n"


class Watcher:
    def __init__(self) -> None:
        self.hooks: list[str] = []
        self.flow: TCPFlow | UDPFlow
        self._ended = asyncio.Event()

    def tcp_start(self, flow: TCPFlow) -> None:
        self.flow = flow
        self.hooks.append("start")

    def tcp_message(self, flow: TCPFlow) -> None:
        message = flow.messages[-1]
        message.content = message.content.replace(b"secret", b"*")

    def tcp_end(self, flow: TCPFlow) -> None:
        self.hooks.append("end")

    def tcp_error(self, flow: TCPFlow) -> None:
        self.hooks.append("error")

    def udp_start(self, flow: UDPFlow) -> None:
        self.flow = flow

    def udp_message(self, flow: UDPFlow) -> None:
        message = flow.messages[-1]
        message.content = message.content.upper()

    def flow_end(self, flow: object) -> None:
        if isinstance(flow, TCPFlow | UDPFlow):
            self._ended.set()

    async def ended(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self._ended.wait()


async def greeting(talk: Conversation) -> None:
    """A server that speaks first, then says back what it hears until the client has said all."""
    await talk.send(BANNER)
    heard = await talk.rest()
    await talk.send(b"heard " + heard)


async def test_a_server_greets_behind_connect(field: Field) -> None:
    """5.2.44 and 5.5.94: an SSH-like banner, half-close, an edit that changes the length."""
    watcher = Watcher()
    proxy = await field.proxy(watcher)
    origin = await field.plain_origin(greeting)
    talk = await field.tunnel(proxy, origin.port)
    assert await talk.exactly(len(BANNER)) == BANNER
    await talk.send(b"a secret word")
    await talk.layer.write_eof()
    assert await talk.rest() == b"heard a * word"
    talk.close()
    await watcher.ended()
    assert watcher.hooks == ["start", "end"]
    assert origin.connections == 1


async def test_a_server_greets_inside_tls(field: Field) -> None:
    """Raw bytes in TLS, as IMAPS has them: opened, seen, and in TLS again on the way to the server."""
    watcher = Watcher()
    proxy = await field.proxy(watcher)
    origin = await field.origin(greeting)
    talk = await field.secure(proxy, origin.port)
    assert await talk.exactly(len(BANNER)) == BANNER
    await talk.send(b"secret")
    talk.close()
    await watcher.ended()
    assert isinstance(watcher.flow, TCPFlow)
    assert watcher.flow.messages[0].content == BANNER
    assert watcher.flow.server_conn.tls_established


async def test_tcp_hosts_inside_tls(field: Field) -> None:
    """TLS is opened, what is inside is raw although it is HTTP."""
    watcher = Watcher()
    proxy = await field.proxy(watcher, tcp_hosts=["^example.test:"])
    origin = await field.origin()
    talk = await field.secure(proxy, origin.port)
    assert (await talk.get("/secret")).endswith(b"GET /* HTTP/1.1")
    assert watcher.hooks == ["start"]


async def test_a_server_greets_in_reverse_mode(field: Field) -> None:
    watcher = Watcher()
    origin = await field.plain_origin(greeting)
    proxy = await field.proxy(watcher, mode=[f"reverse:tcp://example.test:{origin.port}"])
    talk = await field.dial(proxy)
    assert await talk.exactly(len(BANNER)) == BANNER
    watcher.flow.inject(True, b"by the way")
    assert await talk.exactly(10) == b"by the way"
    watcher.flow.inject(False, b"and ")
    await talk.send(b"thanks")
    await talk.layer.write_eof()
    assert await talk.rest() == b"heard and thanks"


async def test_a_reset_of_the_server_is_a_reset_for_the_client(field: Field) -> None:
    async def reset(talk: Conversation) -> None:
        await talk.exactly(4)
        talk.plain.abort()

    watcher = Watcher()
    proxy = await field.proxy(watcher)
    origin = await field.plain_origin(reset)
    talk = await field.tunnel(proxy, origin.port)
    await talk.send(b"\0\1\2\3")
    with pytest.raises(ConnectionResetError):
        await talk.rest()
    await watcher.ended()
    assert watcher.hooks == ["start", "error"]


@pytest.mark.parametrize("seen", [True, False])
async def test_large_streams_arrive_whole(field: Field, seen: bool) -> None:
    """With hooks and without: every byte, in order, both ways at once."""
    blob = bytes(range(256)) * 40_000

    async def echo(talk: Conversation) -> None:
        while data := await talk.layer.read():
            await talk.send(data)

    proxy = await field.proxy(*([Watcher()] if seen else []))
    origin = await field.plain_origin(echo)
    talk = await field.tunnel(proxy, origin.port)

    async def send() -> None:
        await talk.send(b"\0" + blob)
        await talk.layer.write_eof()

    sending = asyncio.create_task(send())
    assert await talk.rest() == b"\0" + blob
    await sending


async def test_ssl_that_is_not_opened_makes_no_flow(field: Field) -> None:
    watcher = Watcher()
    proxy = await field.proxy(watcher, ignore_hosts=["example.test"])
    origin = await field.origin()
    talk = await field.tunnel(proxy, origin.port)
    await talk.start_tls(ssl.create_default_context(cafile=str(field.ca_file)), "example.test")
    assert await talk.get("/")
    assert watcher.hooks == []


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(b"echo " + data, addr)


class Mailbox(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.received.put_nowait(data)

    async def next(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.received.get()


async def test_datagrams_through_real_sockets(field: Field) -> None:
    loop = asyncio.get_running_loop()
    server, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    port = server.get_extra_info("sockname")[1]
    watcher = Watcher()
    proxy = await field.proxy(watcher, mode=[f"reverse:udp://echo.test:{port}"], udp_idle_timeout=1.0)
    client, mailbox = await loop.create_datagram_endpoint(Mailbox, remote_addr=proxy.address)
    try:
        client.sendto(b"hello")
        assert await mailbox.next() == b"ECHO HELLO"
        watcher.flow.inject(True, b"injected")
        assert await mailbox.next() == b"INJECTED"
        client.sendto(bytes(40_000))
        assert len(await mailbox.next()) == 40_005
    finally:
        client.close()
        server.close()
    await watcher.ended()
    assert watcher.flow.error is None


async def test_a_datagram_to_nobody_ends_its_flow_with_the_reason(field: Field) -> None:
    watcher = Watcher()
    port = await field.unused_port()
    proxy = await field.proxy(watcher, mode=[f"reverse:udp://echo.test:{port}"])
    loop = asyncio.get_running_loop()
    client, _ = await loop.create_datagram_endpoint(Mailbox, remote_addr=proxy.address)
    client.sendto(b"hello")
    await watcher.ended()
    client.close()
    assert "Connection refused" in str(watcher.flow.error)
