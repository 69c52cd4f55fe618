"""The same exchange over every pair of versions: what client and origin see is the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product

import pytest
from http2_ends import H2Client, H2Origin, Heard, h1_origin, h2_origin, tls_client, tunnel

from proxyfw.connection import Server
from proxyfw.http import HTTPFlow
from proxyfw.net.wire import Wire
from proxyfw.protocol.events import END, Data, End, Event, Informational, RequestHead, ResponseHead, Trailers
from proxyfw.protocol.http1 import ClientCodec, Codec, ServerCodec
from proxyfw.testing import End as RawEnd
from proxyfw.testing import World, world

VERSIONS = ["h1", "h2", "h2c"]
FRAMING = {b"content-length", b"transfer-encoding", b"host", b"connection", b"te"}


@dataclass
class Message:
    """One message, however it was sent."""

    first: list[bytes]
    """Method, authority and path; or the status."""
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: list[bytes] = field(default_factory=list)
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    informational: list[bytes] = field(default_factory=list)

    def same(self) -> tuple[object, ...]:
        """What has to be equal on both sides of the proxy."""
        lower = [(n.lower(), v) for n, v in self.fields if n.lower() not in FRAMING and n[:1] != b":"]
        trailers = [(n.lower(), v) for n, v in self.trailers]
        return self.first, lower, b"".join(self.body), trailers, self.informational


@dataclass
class Exchange:
    """What client and origin say."""

    asked: Message
    answered: Message


GET = [b"GET", b"example.com", b"/a%20b//c?d=e&f"]
POST = [b"POST", b"example.com", b"/upload"]
FIELDS = [(b"x-one", b"1"), (b"cookie", b"a=b; c=d"), (b"x-two", b"2"), (b"x-one", b"3"), (b"x-empty", b"")]
KINDS: dict[str, Exchange] = {
    "plain": Exchange(Message(GET, FIELDS), Message([b"200"], FIELDS, [b"hello"])),
    "empty": Exchange(Message(GET), Message([b"204"])),
    "empty body": Exchange(Message(POST), Message([b"200"])),
    "not modified": Exchange(Message(GET), Message([b"304"], [(b"etag", b'"x"')])),
    "head": Exchange(Message([b"HEAD", *GET[1:]]), Message([b"200"], [(b"x", b"y")])),
    "upload": Exchange(Message(POST, FIELDS, [b"abc", b"", b"def"]), Message([b"201"], [], [b"ok"])),
    "large": Exchange(Message(POST, [], [bytes(90_000)] * 4), Message([b"200"], [], [b"x" * 70_000] * 5)),
    "request trailers": Exchange(
        Message(POST, [], [b"abc"], [(b"x-t", b"1")]), Message([b"200"], [], [b"k"])
    ),
    "response trailers": Exchange(
        Message(GET), Message([b"200"], [], [b"abc"], [(b"x-t", b"1"), (b"x-u", b"")])
    ),
    "informational": Exchange(Message(GET), Message([b"200"], [], [b"abc"], informational=[b"103", b"103"])),
    "error": Exchange(Message([b"DELETE", *GET[1:]]), Message([b"500"], [(b"x", b"y")], [b"broken"])),
    "options": Exchange(Message([b"OPTIONS", b"example.com", b"*"]), Message([b"200"], [(b"allow", b"GET")])),
    "events": Exchange(
        Message(GET), Message([b"200"], [(b"content-type", b"text/event-stream")], [b"data: 1\n\n"])
    ),
    "many cookies": Exchange(
        Message(GET, [(b"cookie", b"a=b")]),
        Message([b"200"], [(b"set-cookie", b"a=b"), (b"set-cookie", b"c=d")], [b"k"]),
    ),
}


class H1Talk:
    """One HTTP/1.1 message each way, by the codec and any wire."""

    def __init__(self, wire: Wire, codec: Codec) -> None:
        self.codec = codec
        self.end = RawEnd(wire)
        self.events: list[Event] = []

    async def receive(self, done: Callable[[Event], bool]) -> None:
        while not any(done(event) for event in self.events):
            self.events += self.codec.receive(await self.end.until(bool))

    def send(self, *events: Event) -> None:
        self.end.write(self.codec.send(*events))

    def message(self, first: list[bytes]) -> Message:
        found = Message(first)
        for event in self.events:
            if isinstance(event, RequestHead):
                host = {n.lower(): v for n, v in event.headers}[b"host"]
                found.first, found.fields = [event.method, host, event.target], event.headers
            elif isinstance(event, ResponseHead):
                found.first, found.fields = [b"%d" % event.status], event.headers
            elif isinstance(event, Informational):
                found.informational.append(b"%d" % event.status)
            elif isinstance(event, Data):
                found.body.append(event.data)
            elif isinstance(event, Trailers):
                found.trailers = event.headers
        return found


def framed(message: Message, length: bool) -> list[tuple[bytes, bytes]]:
    """The fields that *message* needs in HTTP/1.1."""
    if length and not message.trailers:
        return [(b"Content-Length", b"%d" % len(b"".join(message.body)))]
    return [(b"Transfer-Encoding", b"chunked")] if message.body or message.trailers else []


def sized(message: Message, length: bool) -> list[tuple[bytes, bytes]]:
    """The field that *message* may have in HTTP/2."""
    size = len(b"".join(message.body))
    return [(b"content-length", b"%d" % size)] if length and size and not message.trailers else []


def body(message: Message) -> list[Event]:
    events: list[Event] = [Data(piece) for piece in message.body if piece]
    return [*events, *([Trailers(message.trailers)] if message.trailers else []), END]


def heard(stream: Heard) -> Message:
    fields = dict(stream.headers)
    if b":status" in fields:
        first = [fields[b":status"]]
    else:
        first = [fields[b":method"], fields[b":authority"], fields[b":path"]]
    informational = [dict(one)[b":status"] for one in stream.informational]
    return Message(first, stream.headers, [stream.body], stream.trailers or [], informational)


async def h1_ask(wire: Wire, message: Message, length: bool) -> Message:
    method, host, target = message.first
    talk = H1Talk(wire, ClientCodec())
    fields = [(b"Host", host), *message.fields, *framed(message, length)]
    talk.send(RequestHead(method, target, fields), *body(message))
    await talk.receive(lambda event: isinstance(event, End))
    return talk.message([])


async def h1_answer(talk: H1Talk, message: Message, length: bool) -> Message:
    await talk.receive(lambda event: isinstance(event, End))
    for status in message.informational:
        talk.send(Informational(int(status), [(b"Link", b"</x>")], b"Early Hints"))
    bodiless = message.first[0] in (b"204", b"304") or talk.message([]).first[0] == b"HEAD"
    framing = [] if bodiless else framed(message, length) or [(b"Content-Length", b"0")]
    talk.send(ResponseHead(int(message.first[0]), [*message.fields, *framing], b"Whatever"), *body(message))
    return talk.message([])


async def h2_say(
    end: H2Client | H2Origin, stream_id: int, fields: list[tuple[bytes, bytes]], said: Message
) -> None:
    whole = b"".join(said.body)
    end.head(stream_id, fields, not (whole or said.trailers))
    await end.body(stream_id, whole, not said.trailers)
    if said.trailers:
        end.head(stream_id, said.trailers, True)


async def h2_ask(wire: Wire, message: Message, scheme: bytes, length: bool) -> Message:
    client = H2Client(wire)
    method, host, target = message.first
    pseudo = [(b":method", method), (b":scheme", scheme), (b":authority", host), (b":path", target)]
    await h2_say(client, 1, [*pseudo, *message.fields, *sized(message, length)], message)
    return heard(await client.whole(1))


async def h2_answer(origin: H2Origin, message: Message, length: bool) -> Message:
    stream_id, _ = await origin.asked()
    asked = heard(await origin.whole(stream_id))
    for status in message.informational:
        origin.head(stream_id, [(b":status", status), (b"link", b"</x>")])
    fields = [(b":status", message.first[0]), *message.fields, *sized(message, length)]
    await h2_say(origin, stream_id, fields, message)
    return asked


async def converse(
    w: World, client: str, origin: str, exchange: Exchange, length: bool
) -> tuple[Message, Message]:
    """Tell *exchange*; what the origin saw of the request, and the client of the answer."""
    port = 443 if origin == "h2" or (origin == "h1" and client != "h2c") else 80
    listening = w.origin("example.com", port)

    async def answer() -> Message:
        if origin == "h1":
            end = await h1_origin(listening, tls=port == 443)
            talk = H1Talk(end.wire.detach(end.received).wire, ServerCodec())
            return await h1_answer(talk, exchange.answered, length)
        return await h2_answer(await h2_origin(listening, tls=port == 443), exchange.answered, length)

    async def ask() -> Message:
        plain = client == "h2c" or (client == "h1" and port == 80)
        if plain:
            wire: Wire = (await tunnel(w, 80)).wire
        else:
            wire = await tls_client(w, b"http/1.1" if client == "h1" else b"h2")
        if client == "h1":
            return await h1_ask(wire, exchange.asked, length)
        return await h2_ask(wire, exchange.asked, b"http" if plain else b"https", length)

    asked, answered = await asyncio.gather(answer(), ask())
    return asked, answered


class Versions:
    """Sends requests on to where the origin of the test is, which TLS or an addon's word makes known."""

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def requestheaders(self, flow: HTTPFlow) -> None:
        tls = self.origin != "h2c" and (flow.request.scheme == "https" or self.origin == "h2")
        flow.request.scheme = "https" if tls else "http"
        flow.request.port = 443 if tls else 80
        flow.server_conn = Server(address=(flow.request.host, flow.request.port))
        flow.server_conn.alpn_offers = {"h1": (), "h2": (b"h2", b"http/1.1"), "h2c": (b"h2c",)}[self.origin]


@pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])
@pytest.mark.parametrize("length", [False, True], ids=["unsized", "sized"])
@pytest.mark.parametrize(("client", "origin"), list(product(VERSIONS, VERSIONS)))
async def test_both_sides_see_the_same(client: str, origin: str, length: bool, stream: bool) -> None:
    """5.4.72 to 5.4.77, over every pair."""

    class Stream:
        def requestheaders(self, flow: HTTPFlow) -> None:
            flow.request.stream = stream and flow.request.method == "POST"

        def responseheaders(self, flow: HTTPFlow) -> None:
            assert flow.response
            flow.response.stream = stream

    for name, exchange in KINDS.items():
        async with world(addons=[Versions(origin), Stream()], ssl_insecure=True) as w:
            asked, answered = await converse(w, client, origin, exchange, length)
            assert asked.same() == exchange.asked.same(), name
            assert answered.same() == exchange.answered.same(), name
            flow = (await w.ended(1))[0]
            assert isinstance(flow, HTTPFlow)
            assert flow.error is None
            assert flow.request.http_version == ("HTTP/1.1" if client == "h1" else "HTTP/2.0")
            assert flow.response
            assert flow.response.http_version == ("HTTP/1.1" if origin == "h1" else "HTTP/2.0")
            if not stream:
                assert flow.request.raw_content == b"".join(exchange.asked.body)
