"""WebSocket where the client, the origin or both speak HTTP/2: the same story. RFC 8441, checks 5.4.85."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from http2_ends import (
    Fields,
    H2Client,
    H2Origin,
    Heard,
    StreamWire,
    get,
    h1_client,
    h1_origin,
    h2_client,
    h2_origin,
    secured,
)
from websocket_ends import Recorder, Talker, last, record

from proxyfw.http import HTTPFlow, Response
from proxyfw.protocol.http2 import MAX_STREAMS
from proxyfw.protocol.permessage_deflate import Deflate
from proxyfw.protocol.websocket import Close, Event, Fragment, Ping, Pong, WebSocketCodec
from proxyfw.testing import End, Origin, World, world

H1, H2 = "h1", "h2"
PAIRS = [(client, origin) for client in (H1, H2) for origin in (H1, H2)]
pairs = pytest.mark.parametrize("versions", PAIRS, ids="-".join)

OFFER = {SettingCodes.ENABLE_CONNECT_PROTOCOL: 1}
KEY, ACCEPT = b"dGhlIHNhbXBsZSBub25jZQ==", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
UPGRADE = (
    b"GET /socket HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: " + KEY + b"\r\nSec-WebSocket-Version: 13\r\n"
)
SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n"
)
OK = (b":status", b"200")


def connect(*fields: tuple[bytes, bytes], protocol: bytes = b"websocket") -> Fields:
    return [
        (b":method", b"CONNECT"), (b":protocol", protocol), (b":scheme", b"https"), (b":path", b"/socket"),
        (b":authority", b"example.com"), (b"sec-websocket-version", b"13"), *fields,
    ]  # fmt: skip


class Pair:
    """A client and an origin that speak the *versions*, around the proxy *w*."""

    client: H2Client | End
    server: H2Origin | End
    asked: Heard
    """What the origin has got, in HTTP/2."""

    def __init__(self, w: World, versions: tuple[str, str]) -> None:
        self.w = w
        self.versions = versions
        self.client_stream = self.server_stream = 0
        self.origin: Origin = w.origin("example.com", 443)

    async def ask(self, *fields: tuple[bytes, bytes]) -> None:
        """The client asks for a WebSocket, and the origin has got that."""
        if self.versions[1] == H2:
            await self.warm_up()
        await self.say(*fields)
        if isinstance(server := getattr(self, "server", None), H2Origin):
            self.server_stream, self.asked = await server.asked()
        else:
            self.server = await h1_origin(self.origin)
            self.head = await self.server.head()

    async def say(self, *fields: tuple[bytes, bytes]) -> None:
        """The client asks for a WebSocket."""
        if self.versions[0] == H2:
            self.client = h2 = await h2_client(self.w)
            self.client_stream = h2.ask(connect(*fields), end=False)
        else:
            self.client = h1 = await h1_client(self.w)
            lines = b"".join([b"%b: %b\r\n" % field for field in fields])
            h1.write(UPGRADE + lines + b"\r\n")

    async def warm_up(self) -> None:
        """Have a connection to the origin in the pool."""
        client = await h2_client(self.w)
        stream_id = client.ask()
        self.server = server = await h2_origin(self.origin, OFFER)
        number, _ = await server.asked()
        server.answer(number)
        await client.whole(stream_id)

    async def accept(
        self, *fields: tuple[bytes, bytes], deflate: Deflate | None = None
    ) -> tuple[Talker, Talker]:
        if isinstance(self.server, H2Origin):
            self.server.head(self.server_stream, [OK, *fields])
            server = End(StreamWire(self.server, self.server_stream))
        else:
            lines = b"".join([b"%b: %b\r\n" % field for field in fields])
            self.server.write(SWITCHING + lines + b"\r\n")
            server = self.server
        if isinstance(self.client, H2Client):
            h2, number = self.client, self.client_stream
            await h2.until(lambda: h2.heard(number).headers)
            assert h2.heard(number)[b":status"] == b"200"
            client = End(StreamWire(h2, number))
        else:
            self.answer = await self.client.head()
            assert self.answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
            client = self.client
        return Talker(client, True, deflate), Talker(server, False, deflate)


@asynccontextmanager
async def sockets(
    versions: tuple[str, str], *addons: object, **options: Any
) -> AsyncIterator[tuple[World, Talker, Talker]]:
    async with world(addons=addons, ssl_insecure=True, **options) as w:
        pair = Pair(w, versions)
        await pair.ask()
        yield w, *(await pair.accept())


class Story(Recorder):
    """Records the hooks of WebSockets, not those of the tunnels around them."""

    def flow_end(self, flow: HTTPFlow) -> None:
        if flow.request.path == "/socket":
            super().flow_end(flow)


async def flow_of(w: World) -> HTTPFlow:
    """The flow of the WebSocket, when it has ended."""
    count = 1
    while True:
        flow = (await w.ended(count))[count - 1]
        assert isinstance(flow, HTTPFlow)
        if flow.request.path == "/socket":
            return flow
        count += 1


# The handshake


@pairs
async def test_the_same_flow_whatever_the_versions(versions: tuple[str, str]) -> None:
    """5.4.85: an addon sees an upgrade; each side is spoken to in the words of its version."""
    client, origin = versions
    recorder = Story()
    async with world(addons=[recorder], ssl_insecure=True) as w:
        pair = Pair(w, versions)
        await pair.ask((b"sec-websocket-protocol", b"chat"), (b"cookie", b"a=b"))
        recorder.hooks.clear()
        if origin == H2:
            asked = dict(pair.asked.headers)
            assert (asked[b":method"], asked[b":protocol"]) == (b"CONNECT", b"websocket")
            assert (asked[b":scheme"], asked[b":authority"]) == (b"https", b"example.com")
            assert asked[b":path"] == b"/socket"
            assert not {b"sec-websocket-key", b"upgrade", b"connection", b"host"} & set(asked)
            assert not pair.asked.ended
        else:
            head = pair.head.lower()
            assert head.startswith(b"get /socket http/1.1\r\n")
            assert b"\r\nhost: example.com\r\n" in head
            assert b"\r\nupgrade: websocket\r\nconnection: upgrade\r\n" in head
            assert head.count(b"\r\nsec-websocket-key: ") == 1
            asked = dict(line.split(b": ") for line in head.split(b"\r\n")[1:] if line)
        assert asked[b"sec-websocket-protocol"] == b"chat"
        assert asked[b"sec-websocket-version"] == b"13"
        assert asked[b"cookie"] == b"a=b"
        one, other = await pair.accept((b"sec-websocket-protocol", b"chat"))
        if isinstance(pair.client, H2Client):
            assert pair.client.heard(pair.client_stream).headers == [OK, (b"sec-websocket-protocol", b"chat")]
        else:
            assert b"\r\nSec-WebSocket-Accept: " + ACCEPT + b"\r\n" in pair.answer
            assert b"\r\nsec-websocket-protocol: chat\r\n" in pair.answer
            assert b"close" not in pair.answer
        one.text("ping")
        assert await other.data() == b"ping"
        other.text("pong")
        assert await one.data() == b"pong"
        one.send(Close(1000, "done"))
        assert await other.event() == Close(1000, "done")
        other.send(Close(1000, "done"))
        assert await one.event() == Close(1000, "done")
        assert await one.end.rest() == b""
        assert await other.end.rest() == b""
        flow = await flow_of(w)
    assert recorder.hooks == [
        "responseheaders", "response", "websocket_start", ">ping", "<pong", "websocket_end 1000", "flow_end",
    ]  # fmt: skip
    assert flow.response
    assert (flow.request.method, flow.response.status_code) == ("GET", 101)
    assert flow.request.http_version == ("HTTP/2.0" if client == H2 else "HTTP/1.1")
    assert flow.response.http_version == ("HTTP/2.0" if origin == H2 else "HTTP/1.1")
    for message in (flow.request, flow.response):
        assert message.headers["upgrade"] == "websocket"
        assert message.headers["connection"] == "Upgrade"
    assert len(flow.request.headers["sec-websocket-key"]) == 24
    assert len(flow.response.headers["sec-websocket-accept"]) == 28
    assert flow.server_conn.alpn == (b"h2" if origin == H2 else b"http/1.1")
    assert flow.error is None


@pytest.mark.parametrize(
    ("versions", "status"),
    [(pair, status) for pair in PAIRS for status in (200, 204, 302, 403) if pair[1] == H1 or status >= 300],
)
async def test_a_refusal_is_passed_on(versions: tuple[str, str], status: int) -> None:
    """5.5.93: but a success that is no upgrade would be one in HTTP/2."""
    recorder = Story()
    async with world(addons=[recorder], ssl_insecure=True) as w:
        pair = Pair(w, versions)
        await pair.ask()
        body = b"" if status == 204 else b"no"
        if isinstance(pair.server, H2Origin):
            pair.server.head(pair.server_stream, [(b":status", b"%d" % status), (b"content-length", b"2")])
            pair.server.data(pair.server_stream, b"no", True)
        else:
            length = b"" if status == 204 else b"Content-Length: 2\r\n"
            pair.server.write(b"HTTP/1.1 %d X\r\n" % status + length + b"\r\n" + body)
        if isinstance(pair.client, H2Client):
            heard = await pair.client.whole(pair.client_stream)
            assert heard[b":status"] == b"%d" % (status if status >= 300 else 502)
            assert heard.body == body
        else:
            answer = await pair.client.message()
            assert answer.startswith(b"HTTP/1.1 %d " % status)
            assert answer.endswith(b"\r\n\r\n" + body)
        flow = await flow_of(w)
        assert flow.response
        assert flow.response.status_code == status
        assert flow.websocket is None
        if isinstance(pair.server, H2Origin):
            await pair.server.broken(pair.server_stream)
            assert not pair.server.gone
    assert recorder.hooks[-3:] == ["responseheaders", "response", "flow_end"]


async def test_an_unknown_protocol_is_501_and_others_live() -> None:
    async with world() as w:
        client = await h2_client(w)
        stream_id = client.ask(connect(protocol=b"connect-udp"), b"early", end=False)
        heard = await client.whole(stream_id)
        assert heard[b":status"] == b"501"
        assert b"connect-udp" in heard.body
        plain = client.ask([(b":method", b"CONNECT"), (b":authority", b"a.example:443")], end=False)
        assert (await client.whole(plain))[b":status"] == b"501"
        assert w.flows == []


async def test_extended_connect_where_it_was_not_offered_is_an_error() -> None:
    async with world(websocket=False) as w:
        client = await h2_client(w)
        assert await client.broken(client.ask(connect(), end=False)) == ErrorCodes.PROTOCOL_ERROR
        assert not client.gone


async def test_protocol_without_connect_is_an_error() -> None:
    async with world() as w:
        client = await h2_client(w)
        stream_id = client.ask(get(b"/", b"GET", (b":protocol", b"websocket")))
        assert await client.broken(stream_id) == ErrorCodes.PROTOCOL_ERROR


@pytest.mark.parametrize(("client", "websocket"), [(H1, True), (H1, False), (H2, True)])
async def test_an_upgrade_never_goes_to_http2_that_does_not_know_it(client: str, websocket: bool) -> None:
    """5.4.85: where the origin has not announced it, or we do not read it, there is HTTP/1.1 for it."""
    async with world(ssl_insecure=True, websocket=websocket) as w:
        pair = Pair(w, (client, H1))
        origin = pair.origin
        warm = await h2_client(w)
        stream_id = warm.ask()
        server = await h2_origin(origin, {} if websocket else OFFER)
        number, _ = await server.asked()
        server.answer(number)
        await warm.whole(stream_id)
        await pair.ask()
        one, other = await pair.accept()
        one.text("hello")
        assert await other.data() == b"hello"
        assert not server.gone


async def test_an_upgrade_with_a_body_goes_to_http1() -> None:
    """In HTTP/2 there is no place for one: it would be read as frames of the WebSocket."""
    async with world(ssl_insecure=True, stream_large_bodies="1") as w:
        pair = Pair(w, (H1, H2))
        await pair.warm_up()
        client = await h1_client(w)
        client.write(UPGRADE + b"Content-Length: 4\r\n\r\nbody")
        server = await h1_origin(pair.origin)
        assert (await server.message()).endswith(b"\r\n\r\nbody")


async def test_an_upgrade_does_not_go_to_a_cleartext_connection_either() -> None:
    class Prior:
        def request(self, flow: HTTPFlow) -> None:
            flow.server_conn.alpn_offers = (b"h2c",)

    async with world(addons=[Prior()]) as w:
        origin, client = w.origin(), w.client()
        client.write(b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
        server = await h2_origin(origin, {}, tls=False)
        number, _ = await server.asked()
        server.answer(number)
        await client.head()
        client.write(UPGRADE.replace(b"/socket", b"http://example.com/socket") + b"\r\n")
        assert (await (await origin.accept()).head()).startswith(b"GET /socket HTTP/1.1\r\n")


async def test_a_stream_that_the_origin_does_not_take_is_asked_for_in_http1() -> None:
    async with world(ssl_insecure=True) as w:
        pair = Pair(w, (H2, H2))
        await pair.ask()
        assert isinstance(pair.server, H2Origin)
        pair.server.reset(pair.server_stream, ErrorCodes.REFUSED_STREAM)
        pair.server = await h1_origin(pair.origin)
        assert (await pair.server.head()).startswith(b"GET /socket HTTP/1.1\r\n")
        one, other = await pair.accept()
        one.text("hello")
        assert await other.data() == b"hello"


async def test_an_addon_answers() -> None:
    class Refusing:
        def request(self, flow: HTTPFlow) -> None:
            flow.response = Response.make(403, b"not here")

    async with world(addons=[Refusing()]) as w:
        heard = await (client := await h2_client(w)).whole(client.ask(connect(), end=False))
        assert (heard[b":status"], heard.body) == (b"403", b"not here")


# Messages


@pairs
async def test_messages_are_edited_dropped_and_injected_both_ways(versions: tuple[str, str]) -> None:
    """5.5.90."""
    recorder = Story()

    class Editor:
        def websocket_message(self, flow: HTTPFlow) -> None:
            message = last(flow)
            if b"drop" in message.content:
                message.drop()
            message.content = message.content.replace(b"old", b"brand new")

    async with sockets(versions, Editor(), recorder) as (_, client, server):
        for one, other in ((client, server), (server, client)):
            one.text("an old one", "drop me", "as it is")
            assert [await other.data(), await other.data()] == [b"an brand new one", b"as it is"]
        record(recorder.flow).inject(False, "to server")
        record(recorder.flow).inject(True, b"to client")
        assert await server.event() == Fragment(b"to server", True)
        assert await client.event() == Fragment(b"to client", False)


@pairs
async def test_fragments_pings_and_binary_are_kept(versions: tuple[str, str]) -> None:
    """5.5.88 and 91."""
    snow = [Fragment(b"\xe2", True, False), Fragment(b"\x98\x83", True)]
    said: list[Event] = [*snow, Ping(b"?"), Pong(), Fragment(b"\xff", False)]
    async with sockets(versions, Story()) as (_, client, server):
        for one, other in ((client, server), (server, client)):
            one.send(*said)
            assert [await other.event() for _ in said] == said


@pairs
async def test_deflate_end_to_end(versions: tuple[str, str]) -> None:
    """5.5.89."""
    field = (b"sec-websocket-extensions", b"permessage-deflate")
    async with world(ssl_insecure=True) as w:
        pair = Pair(w, versions)
        await pair.ask(field)
        client, server = await pair.accept(field, deflate=Deflate())
        for one, other in ((client, server), (server, client)):
            one.send(Fragment(b"hello " * 100, True, True, True))
            wire = await other.end.until(lambda data: len(data) > 2)
            assert len(wire) < 60
            assert list(other.codec.receive(wire)) == [Fragment(b"hello " * 100, True, True, True)]


@pytest.mark.parametrize("versions", [(H1, H2), (H2, H1)], ids="-".join)
async def test_what_comes_with_the_answer_is_not_lost(versions: tuple[str, str]) -> None:
    async with world(ssl_insecure=True) as w:
        pair = Pair(w, versions)
        await pair.ask()
        early = WebSocketCodec(True).send(Fragment(b"early", True))
        if isinstance(pair.client, H2Client):
            pair.client.data(pair.client_stream, early)
        else:
            pair.client.write(early)
        if isinstance(pair.server, H2Origin):
            pair.server.head(pair.server_stream, [OK])
            pair.server.data(pair.server_stream, b"\x81\x02hi")
            pair.server.head = lambda *_: None  # type: ignore[method-assign]  # it has been said
        else:
            pair.server.write(SWITCHING + b"\r\n\x81\x02hi")
            pair.server.write = lambda data: None  # type: ignore[method-assign]
        client, server = await pair.accept()
        assert await client.data() == b"hi"
        assert await server.data() == b"early"


@pairs
async def test_back_pressure_both_ways(versions: tuple[str, str]) -> None:
    """5.1.37: who does not read stops who writes, nothing is lost, other streams go on."""
    total = 8 * 1024 * 1024
    async with sockets(versions) as (_, client, server):
        for one, other in ((server, client), (client, server)):
            other.end.wire.pause()
            message = one.codec.send(Fragment(bytes(60_000), False))
            sent = 0
            for _ in range(200):
                if len(message) * sent < total and can_write(one, len(message)):
                    one.end.write(message)
                    sent += 1
                await asyncio.sleep(0)
            assert 0 < sent * len(message) < total
            other.end.wire.resume()
            for _ in range(sent):
                assert await other.data() == bytes(60_000)


def can_write(talker: Talker, size: int) -> bool:
    wire = talker.end.wire
    return wire.room >= size if isinstance(wire, StreamWire) else wire.writable


# How it ends


@pairs
@pytest.mark.parametrize("by_client", [True, False], ids=["client", "server"])
@pytest.mark.parametrize("close", [Close(1001, "gönn dir"), Close(4321, ""), Close()], ids=repr)
async def test_close_codes_and_reasons_are_relayed(
    versions: tuple[str, str], by_client: bool, close: Close
) -> None:
    """5.5.91."""
    async with sockets(versions) as (w, client, server):
        one, other = (client, server) if by_client else (server, client)
        one.send(close)
        assert await other.event() == close
        other.send(Close(1000, "yes"))
        assert await one.event() == Close(1000, "yes")
        flow = await flow_of(w)
    data = record(flow)
    assert (data.closed_by_client, data.close_code, data.close_reason) == (
        by_client,
        close.code,
        close.reason,
    )
    assert flow.error is None


@pairs
@pytest.mark.parametrize("by_client", [True, False], ids=["client", "server"])
@pytest.mark.parametrize("how", [End.close, End.abort])
async def test_an_abrupt_end_is_1006_and_ends_once(
    versions: tuple[str, str], by_client: bool, how: Callable[[End], None]
) -> None:
    """5.5.91."""
    recorder = Story()
    async with sockets(versions, recorder) as (w, client, server):
        one, other = (client, server) if by_client else (server, client)
        one.text("last words")
        assert await other.data() == b"last words"
        how(one.end)
        assert await other.end.rest() == b""
        flow = await flow_of(w)
    assert recorder.hooks[-2:] == ["websocket_end 1006", "flow_end"]
    data = record(flow)
    assert (data.closed_by_client, data.close_code, data.close_reason) == (by_client, 1006, "")
    assert flow.error
    assert flow.error.msg.startswith(f"the {'client' if by_client else 'server'} left the WebSocket")


@pairs
async def test_kill_resets_both_sides_and_nothing_else(versions: tuple[str, str]) -> None:
    """5.6.102."""

    class Killer:
        def websocket_message(self, flow: HTTPFlow) -> None:
            flow.kill()

    async with world(addons=[Killer()], ssl_insecure=True) as w:
        pair = Pair(w, versions)
        await pair.ask()
        client, server = await pair.accept()
        client.text("secret")
        assert await client.end.rest() == b""
        assert await server.end.rest() == b""
        flow = await flow_of(w)
        assert str(flow.error) == "Connection killed."
        for end, number in ((pair.client, pair.client_stream), (pair.server, pair.server_stream)):
            if not isinstance(end, End):
                assert end.heard(number).reset == ErrorCodes.CANCEL
                assert not end.gone


@pairs
async def test_who_breaks_the_protocol_is_told_and_the_other_too(versions: tuple[str, str]) -> None:
    async with sockets(versions) as (w, client, server):
        server.end.write(b"\x83\x00")
        told, innocent = await server.closed(), await client.closed()
        assert isinstance(told, Close)
        assert isinstance(innocent, Close)
        assert (told.code, innocent.code) == (1002, 1011)
        assert record(await flow_of(w)).close_code == 1002


@pairs
async def test_a_proxy_that_stops_says_1001(versions: tuple[str, str]) -> None:
    recorder = Story()
    async with sockets(versions, recorder) as (w, client, server):
        await w.proxy.stop()
        assert await client.closed() == Close(1001, "the proxy is stopping")
        assert await server.closed() == Close(1001, "the proxy is stopping")
    assert recorder.hooks[-2:] == ["websocket_end 1001", "flow_end"]


async def test_a_client_that_leaves_before_the_answer() -> None:
    async with world(ssl_insecure=True) as w:
        pair = Pair(w, (H2, H2))
        await pair.ask()
        assert isinstance(pair.client, H2Client)
        assert isinstance(pair.server, H2Origin)
        pair.client.reset(pair.client_stream, ErrorCodes.CANCEL)
        assert await pair.server.broken(pair.server_stream) == ErrorCodes.CANCEL
        flow = await flow_of(w)
        assert flow.error
        assert flow.error.msg == "client disconnected"


async def test_the_connection_of_an_origin_that_is_lost_ends_its_sockets() -> None:
    recorder = Story()
    async with world(addons=[recorder], ssl_insecure=True) as w:
        pair = Pair(w, (H1, H2))
        await pair.ask()
        client, _ = await pair.accept()
        assert isinstance(pair.server, H2Origin)
        pair.server.wire.abort()
        assert await client.end.rest() == b""
        await flow_of(w)
    assert recorder.hooks[-2:] == ["websocket_end 1006", "flow_end"]


async def test_many_sockets_share_both_connections() -> None:
    async with world(ssl_insecure=True) as w:
        pair = Pair(w, (H2, H2))
        await pair.ask()
        sockets = [await pair.accept()]
        assert isinstance(pair.client, H2Client)
        assert isinstance(pair.server, H2Origin)
        for _ in range(9):
            pair.client_stream = pair.client.ask(connect(), end=False)
            pair.server_stream, _ = await pair.server.asked()
            sockets.append(await pair.accept())
        for number, (client, _) in enumerate(sockets):
            client.text(f"number {number}")
        for number, (_, server) in enumerate(sockets):
            assert await server.data() == b"number %d" % number
        assert len(w.network.dialled) == 1


async def test_sockets_that_are_closed_make_room_for_others() -> None:
    """More of them, one after the other, than a connection may have at a time, and a request after all."""
    async with world(ssl_insecure=True) as w:
        pair = Pair(w, (H2, H2))
        await pair.ask()
        assert isinstance(pair.client, H2Client)
        assert isinstance(pair.server, H2Origin)
        for number in range(MAX_STREAMS + 5):
            client, server = await pair.accept()
            one, other = (client, server) if number % 2 else (server, client)
            one.send(Close(1000))
            assert await other.closed() == Close(1000)
            assert await one.event() == Close(1000)
            one.end.close()
            pair.client_stream = pair.client.ask(connect(), end=False)
            pair.server_stream, _ = await pair.server.asked()
        await pair.accept()
        request = pair.client.ask()
        pair.server_stream, _ = await pair.server.asked()
        pair.server.answer(pair.server_stream, b"hi")
        assert (await pair.client.whole(request)).body == b"hi"
        assert len(w.network.dialled) == 1


async def test_an_extension_that_nobody_understands_passes_as_raw_bytes() -> None:
    async with world(ssl_insecure=True) as w:
        pair = Pair(w, (H2, H2))
        await pair.ask()
        client, server = await pair.accept((b"sec-websocket-extensions", b"x-foo"))
        client.end.write(b"\xf3whatever")
        assert await server.end.exactly(9) == b"\xf3whatever"
        server.end.write(b"back")
        assert await client.end.exactly(4) == b"back"
        server.end.close()
        client.end.close()
        await flow_of(w)


# Origins without HTTP/1.1


async def only_http2(origin: Origin, settings: dict[SettingCodes, int]) -> H2Origin:
    """The next connection to *origin*, where nothing but HTTP/2 is known."""
    return H2Origin(await secured(await origin.accept(), b"h2"), settings)


@pytest.mark.parametrize("client", [H1, H2])
async def test_the_first_socket_to_an_origin_that_speaks_http2_only(client: str) -> None:
    """mitmproxy 5.4.85: it is asked in HTTP/1.1, does not understand that, and is asked again as it likes."""
    recorder = Story()
    async with world(addons=[recorder], ssl_insecure=True) as w:
        pair = Pair(w, (client, H1))
        await pair.say()
        first = await secured(await pair.origin.accept(), b"h2")
        assert not first.ssl.get_alpn_proto_negotiated()
        first.write(b"\0\0\0\4\0\0\0\0\0")
        pair.server = server = await only_http2(pair.origin, OFFER)
        pair.server_stream, asked = await server.asked()
        told = asked[b":method"], asked[b":protocol"], asked[b":path"]
        assert told == (b"CONNECT", b"websocket", b"/socket")
        one, other = await pair.accept()
        one.text("hello")
        assert await other.data() == b"hello"
        assert "error" not in " ".join(recorder.hooks)

        server.wire.close()
        await pair.say()
        pair.server = server = await only_http2(pair.origin, OFFER)
        pair.server_stream, _ = await server.asked()
        one, other = await pair.accept()
        other.text("it is remembered")
        assert await one.data() == b"it is remembered"


async def test_an_origin_that_refuses_the_handshake_for_it() -> None:
    """mitmproxy 5.4.85: RFC 7301 section 3.2 has an alert for that."""
    async with world(ssl_insecure=True) as w:
        pair = Pair(w, (H1, H1))
        await pair.say()
        hello = await pair.origin.accept()
        await hello.until(lambda data: len(data) > 5)
        hello.write(b"\x15\3\3\0\2\2\x78")
        pair.server = server = await only_http2(pair.origin, OFFER)
        pair.server_stream, _ = await server.asked()
        one, other = await pair.accept()
        one.text("hello")
        assert await other.data() == b"hello"


@pytest.mark.parametrize("client", [H1, H2])
async def test_an_origin_that_has_http2_only_and_no_sockets_is_502(client: str) -> None:
    """The message says what is missing."""
    async with world(ssl_insecure=True) as w:
        pair = Pair(w, (client, H1))
        await pair.say()
        hello = await pair.origin.accept()
        await hello.until(lambda data: len(data) > 5)
        hello.write(b"\x15\3\3\0\2\2\x78")
        await only_http2(pair.origin, {})
        if isinstance(pair.client, End):
            answer = await pair.client.message()
            assert answer.startswith(b"HTTP/1.1 502 ")
        else:
            heard = await pair.client.whole(pair.client_stream)
            assert heard[b":status"] == b"502"
            answer = heard.body
        assert b"example.com:443 speaks HTTP/2 and takes no WebSockets over it (RFC 8441)" in answer


async def test_an_origin_that_leaves_before_it_has_said_what_it_takes() -> None:
    async with world(ssl_insecure=True) as w:
        pair = Pair(w, (H1, H1))
        await pair.say()
        hello = await pair.origin.accept()
        await hello.until(lambda data: len(data) > 5)
        hello.write(b"\x15\3\3\0\2\2\x78")
        (await secured(await pair.origin.accept(), b"h2")).close()
        assert isinstance(pair.client, End)
        assert (await pair.client.message()).startswith(b"HTTP/1.1 502 ")


async def test_an_addon_says_that_an_origin_speaks_http2_only() -> None:
    class Knows:
        def request(self, flow: HTTPFlow) -> None:
            flow.server_conn.alpn_offers = (b"h2",)

    async with world(addons=[Knows()], ssl_insecure=True) as w:
        pair = Pair(w, (H1, H1))
        await pair.say()
        pair.server = server = await only_http2(pair.origin, OFFER)
        pair.server_stream, _ = await server.asked()
        one, other = await pair.accept()
        one.text("hello")
        assert await other.data() == b"hello"


async def test_an_origin_in_the_clear_that_speaks_http2_only() -> None:
    class Knows:
        def request(self, flow: HTTPFlow) -> None:
            flow.server_conn.alpn_offers = (b"h2c",)

    async with world(addons=[Knows()]) as w:
        origin, client = w.origin(), w.client()
        client.write(UPGRADE.replace(b"/socket", b"http://example.com/socket") + b"\r\n")
        server = await h2_origin(origin, OFFER, tls=False)
        number, asked = await server.asked()
        assert asked[b":protocol"] == b"websocket"
        server.head(number, [OK])
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")


async def test_what_cannot_be_asked_in_http2_is_told_that_the_origin_speaks_that() -> None:
    async with world(ssl_insecure=True, http2=False) as w:
        pair = Pair(w, (H1, H1))
        await pair.say()
        first = await secured(await pair.origin.accept(), b"h2")
        first.write(b"\0\0\0\4\0\0\0\0\0")
        assert isinstance(pair.client, End)
        answer = await pair.client.message()
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"it speaks HTTP/2, not HTTP/1.1" in answer
