"""CONNECT: dead ends, early and late bytes, refusals, and tunnels in which no TLS is spoken."""

from __future__ import annotations

import asyncio
import ssl
import time

import pytest
from ends import Conversation, Field, Recorder, Tls

from proxyfw.http import HTTPFlow, Response
from proxyfw.tls import ClientHelloData

pytestmark = pytest.mark.end_to_end

GET = b"GET /inside HTTP/1.1\r\nHost: example.test\r\n\r\n"


async def begun(field: Field, talk: Conversation, context: ssl.SSLContext) -> tuple[Tls, bytes]:
    """A client that has begun a handshake, and its hello."""
    layer = Tls(talk.plain, context, "example.test")
    with pytest.raises(ssl.SSLWantReadError):
        layer.ssl.do_handshake()
    return layer, layer.outgoing.read()


# Dead ends


async def test_a_dead_port_lazily(field: Field) -> None:
    """5.2.41: the tunnel opens, the 502 comes inside TLS and gives the reason of the system."""
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    port = await field.unused_port()
    talk = await field.secure(proxy, port)
    response = await talk.get()
    assert response.startswith(b"HTTP/1.1 502 ")
    assert b"cannot connect to 127.0.0.1:%d: Connection refused" % port in response
    assert recorder.of("error")[0].error.msg in response.decode()


async def test_a_dead_port_eagerly(field: Field) -> None:
    """5.2.41: the 502 comes in place of the tunnel."""
    recorder = Recorder()
    proxy = await field.proxy(recorder, connection_strategy="eager")
    port = await field.unused_port()
    talk = await field.dial(proxy)
    response = await talk.connect("example.test", port)
    assert response.startswith(b"HTTP/1.1 502 ")
    assert b"cannot connect to 127.0.0.1:%d: Connection refused" % port in response
    assert recorder.of("http_connect_error")[0].error.msg in response.decode()
    await recorder.saw("flow_end")


@pytest.mark.parametrize("eager", [False, True])
async def test_a_name_that_does_not_resolve(field: Field, eager: bool) -> None:
    """5.2.42."""
    proxy = await field.proxy(connection_strategy="eager" if eager else "lazy")
    field.network.unknown.add("nowhere.invalid")
    if eager:
        talk = await field.dial(proxy)
        response = await talk.connect("nowhere.invalid", 443)
    else:
        response = await (await field.secure(proxy, 443, "nowhere.invalid")).get()
    assert response.startswith(b"HTTP/1.1 502 ")
    assert b"cannot resolve 'nowhere.invalid': Name or service not known" in response


async def test_a_tunnel_to_the_proxy_itself(field: Field) -> None:
    proxy = await field.proxy()
    host, port = proxy.address
    talk = await field.secure(proxy, port, host)
    response = await talk.get()
    assert b"502" in response
    assert b"is this proxy itself" in response


@pytest.mark.parametrize("target", ["example.test", "example.test:0", "example.test:99999", ":443", "a b:1"])
async def test_a_target_that_is_none(field: Field, target: str) -> None:
    """And no tunnel opens."""
    proxy = await field.proxy()
    talk = await field.dial(proxy)
    await talk.send(f"CONNECT {target} HTTP/1.1\r\nHost: example.test\r\n\r\n".encode())
    assert (await talk.message()).startswith(b"HTTP/1.1 400 ")


# Early bytes


@pytest.mark.parametrize("blank", [b"", b"\r\n", b"\r\n\r\n"])
async def test_a_hello_right_behind_the_head(field: Field, blank: bytes) -> None:
    """5.2.43: early bytes are kept, superfluous line ends are swallowed."""
    proxy = await field.proxy()
    origin = await field.origin()
    talk = await field.dial(proxy)
    layer, hello = await begun(field, talk, field.trust(proxy))
    assert b" 200 " in await talk.connect("example.test", origin.port, blank + hello)
    layer.incoming.write(talk.received)
    talk.received = b""
    await layer.handshake()
    talk.layer = layer
    assert b"200 OK" in await talk.get()


@pytest.mark.parametrize("blank", [b"", b"\r\n"])
async def test_plain_http_right_behind_the_head(field: Field, blank: bytes) -> None:
    """5.2.43 and 44."""
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    origin = await field.plain_origin()
    talk = await field.dial(proxy)
    assert b" 200 " in await talk.connect("example.test", origin.port, blank + GET)
    assert (await talk.message()).endswith(b"GET /inside HTTP/1.1")
    flow: HTTPFlow = recorder.of("response")[0]
    assert flow.request.url == f"http://example.test:{origin.port}/inside"


async def test_line_ends_that_come_late(field: Field) -> None:
    """5.2.43: in a segment of their own, before a hello that takes its time."""
    proxy = await field.proxy()
    talk = await field.tunnel(proxy, 443)
    layer, hello = await begun(field, talk, field.trust(proxy))
    for piece in (b"\r", b"\n", hello[:1], hello[1:2], hello[2:]):
        await talk.send(piece)
    await layer.handshake()


async def test_a_hello_that_comes_as_patience_ends(field: Field) -> None:
    """In a busy proxy both happen in one step of the loop; the host is intercepted all the same."""
    recorder = Recorder()
    proxy = await field.proxy(recorder, sniff_timeout=0.05)
    origin = await field.origin()
    talk = await field.tunnel(proxy, origin.port)
    await recorder.saw("http_connected")
    layer, hello = await begun(field, talk, field.trust(proxy))
    await asyncio.sleep(0)
    talk.plain.writer.write(hello)
    time.sleep(0.1)  # noqa: ASYNC251 - the loop is meant to be busy
    await layer.handshake()
    assert recorder.names.count("tls_start_client") == 1


# Other things than TLS


async def test_plain_http_requests_are_intercepted(field: Field) -> None:
    """5.2.44: a WebSocket client does it, for instance."""
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    origin = await field.plain_origin()
    talk = await field.tunnel(proxy, origin.port)
    for _ in range(2):
        assert b"200 OK" in await talk.get()
    assert len(recorder.of("request")) == 2
    assert origin.connections == 1


async def test_a_server_that_speaks_first(field: Field) -> None:
    """5.2.44: SSH and mail servers greet, and the client waits for that."""

    async def greet(talk: Conversation) -> None:
        await talk.send(b"SSH-2.0-test\r\n")
        line = await talk.plain.reader.readline()
        await talk.send(b"you said " + line)

    proxy = await field.proxy(sniff_timeout=0.01)
    origin = await field.plain_origin(greet)
    talk = await field.tunnel(proxy, origin.port)
    assert await talk.exactly(14) == b"SSH-2.0-test\r\n"
    await talk.send(b"SSH-2.0-client\r\n")
    assert await talk.rest() == b"you said SSH-2.0-client\r\n"


@pytest.mark.parametrize(
    "words",
    [
        b"SSH-2.0-client\r\n",
        b"NICK somebody\r\nUSER somebody 0 * :Some Body\r\n",
        b"EHLO client.test\r\n",
        b"\x00\x01binary\xff\n",
        b"\x16\x02not tls\n",
        b"PRI * HTTP/3.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT further.test:443 HTTP/1.1\r\n\r\n",
        b"A\r\n",
        b"\r\n\r\nblank lines of its own\r\n",
        b"get / HTTP/1.1\r\n\r\n",
        b"\x13BitTorrent protocol" + bytes(8) + b"\n",
    ],
)
async def test_clients_of_other_protocols_are_tunnelled(field: Field, words: bytes) -> None:
    """5.2.44: not a byte is changed, and no request is made of it."""

    async def echo(talk: Conversation) -> None:
        await talk.until(lambda received: len(received) >= len(words))
        await talk.send(b"echo:" + talk.received)

    recorder = Recorder()
    proxy = await field.proxy(recorder)
    origin = await field.plain_origin(echo)
    talk = await field.tunnel(proxy, origin.port)
    await talk.send(words)
    assert await talk.rest() == b"echo:" + words
    assert "requestheaders" not in recorder.names


async def test_a_client_that_says_next_to_nothing_and_waits(field: Field) -> None:
    """Empty lines alone (a telnet user at the return key) reach the server after a moment."""

    async def answers(talk: Conversation) -> None:
        await talk.exactly(2)
        await talk.send(b"login: ")

    proxy = await field.proxy(sniff_timeout=0.01)
    origin = await field.plain_origin(answers)
    talk = await field.tunnel(proxy, origin.port)
    await talk.send(b"\r\n")
    assert await talk.rest() == b"login: "


async def test_a_client_that_says_a_little_and_ends(field: Field) -> None:
    """What it said gets there, though it might have become anything."""

    async def echo(talk: Conversation) -> None:
        await talk.send(b"echo:" + await talk.rest())

    proxy = await field.proxy()
    origin = await field.plain_origin(echo)
    talk = await field.tunnel(proxy, origin.port)
    await talk.send(b"GE")
    await talk.layer.write_eof()
    assert await talk.rest() == b"echo:GE"


# Refusals


async def test_a_refused_connect(field: Field) -> None:
    """5.2.46: status and body reach the client, and the connection can be used again."""

    class Refuse:
        def http_connect(self, flow: HTTPFlow) -> None:
            if flow.request.host == "refused.test":
                flow.response = Response.make(403, b"not there", {"X-Why": "because"})

    recorder = Recorder()
    proxy = await field.proxy(Refuse(), recorder)
    origin = await field.origin()
    talk = await field.dial(proxy)
    for _ in range(2):
        response = await talk.connect("refused.test", 443)
        assert response.startswith(b"HTTP/1.1 403 ")
        assert b"X-Why: because\r\n" in response
        assert response.endswith(b"\r\n\r\nnot there")
    assert len(recorder.of("http_connect_error")) == len(recorder.of("flow_end")) == 2
    assert "http_connected" not in recorder.names
    assert b" 200 " in await talk.connect("example.test", origin.port)
    await talk.start_tls(field.trust(proxy), "example.test")
    assert b"200 OK" in await talk.get()
    assert field.network.dialled == [("127.0.0.1", origin.port)]


async def test_a_killed_connect(field: Field) -> None:
    class Kill:
        def http_connect(self, flow: HTTPFlow) -> None:
            flow.kill()

    recorder = Recorder()
    proxy = await field.proxy(Kill(), recorder)
    talk = await field.dial(proxy)
    with pytest.raises((EOFError, ConnectionResetError)):
        await talk.connect("example.test", 443)
    flow: HTTPFlow = await recorder.saw("flow_end")
    assert flow.error
    assert flow.error.msg == flow.error.KILLED_MESSAGE


async def test_the_flow_of_a_tunnel_lasts_as_long_as_the_tunnel(field: Field) -> None:
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    origin = await field.origin()
    talk = await field.secure(proxy, origin.port)
    await talk.get()
    connect: HTTPFlow = recorder.of("http_connected")[0]
    assert connect.request.method == "CONNECT"
    assert connect.response
    assert connect.response.status_code == 200
    assert connect.live
    inside = await recorder.saw("flow_end")
    assert inside is not connect
    talk.close()
    assert await recorder.saw("flow_end", 2) is connect
    await recorder.saw("client_disconnected")
    assert len(recorder.of("flow_end")) == 2


# Eager


async def test_an_eager_connection_is_the_one_that_is_used(field: Field) -> None:
    """And TLS with the origin is complete before it begins with the client."""
    recorder = Recorder()
    proxy = await field.proxy(recorder, connection_strategy="eager")
    origin = await field.origin()
    talk = await field.secure(proxy, origin.port)
    assert b"200 OK" in await talk.get()
    assert origin.connections == 1
    names = recorder.names
    assert names.index("server_connected") < names.index("http_connected")
    assert names.index("tls_established_server") < names.index("tls_start_client")
    assert names.count("tls_start_server") == 1


async def test_an_addon_asks_for_the_server_first(field: Field) -> None:
    """`establish_server_tls_first`: what the origin shows is known when the client is answered."""

    class First:
        def tls_clienthello(self, data: ClientHelloData) -> None:
            data.establish_server_tls_first = True

    recorder = Recorder()
    proxy = await field.proxy(First(), recorder)
    origin = await field.origin()
    talk = await field.secure(proxy, origin.port)
    names = recorder.names
    assert names.index("tls_established_server") < names.index("tls_start_client")
    started = recorder.of("tls_start_client")[0]
    assert started.server.certificate_list[0].cn == "example.test"
    assert b"200 OK" in await talk.get()
    assert origin.connections == 1


async def test_an_origin_that_fails_eagerly_is_reported_inside(field: Field) -> None:
    proxy = await field.proxy(connection_strategy="eager", ssl_verify_upstream_trusted_ca=None)
    origin = await field.origin()
    talk = await field.secure(proxy, origin.port)
    response = await talk.get()
    assert b"502" in response
    assert b"unknown authority" in response


async def test_an_eager_connection_that_nobody_used_is_closed(field: Field) -> None:
    recorder = Recorder()
    proxy = await field.proxy(recorder, connection_strategy="eager")
    gone = asyncio.Event()

    async def wait(talk: Conversation) -> None:
        await talk.rest()
        gone.set()

    origin = await field.plain_origin(wait)
    talk = await field.tunnel(proxy, origin.port)
    talk.close()
    await asyncio.wait_for(gone.wait(), 10)
    data = await recorder.saw("server_disconnected")
    assert data.server.address == ("example.test", origin.port)
