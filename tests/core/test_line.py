"""A flow's line: bytes that go on in pieces and when it says; and ends that are not an answer."""

from __future__ import annotations

import asyncio

import pytest

from proxyfw.connection import Client
from proxyfw.exceptions import ProxyfwError
from proxyfw.http import HTTPFlow, Response
from proxyfw.tcp import TCPFlow
from proxyfw.testing import Recorder, http_flow, world

GET = b"GET http://example.com/a HTTP/1.1\r\nHost: example.com\r\n\r\n"
POST = b"POST http://example.com/a HTTP/1.1\r\nHost: example.com\r\nContent-Length: 6\r\n\r\nupload"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nresponse"


class Slow:
    """Lets three bytes go at a time, each time a permit is given."""

    def __init__(self, open_: bool = False) -> None:
        self.permits = asyncio.Semaphore(10**6 if open_ else 0)
        self.asked: list[tuple[bool, int]] = []
        self.ended: list[bool] = []

    async def take(self, to_client: bool, size: int) -> int:
        self.asked.append((to_client, size))
        await self.permits.acquire()
        return min(size, 3)

    async def end(self, to_client: bool) -> None:
        self.ended.append(to_client)

    def go(self, times: int = 1) -> None:
        for _ in range(times):
            self.permits.release()


class Setting:
    """An addon that gives all flows a line."""

    def __init__(self, line: Slow) -> None:
        self.line = line

    def client_connected(self, client: Client) -> None:
        client.line = self.line

    def requestheaders(self, flow: HTTPFlow) -> None:
        flow.line = self.line


async def test_bodies_go_on_piece_by_piece_both_ways() -> None:
    line = Slow()
    async with world(addons=[Setting(line)]) as w:
        origin = w.origin()
        client = w.client()
        client.write(POST)
        server = await origin.accept()
        line.go()
        assert (await server.head()).startswith(b"POST /a ")
        line.go()
        assert await server.exactly(3) == b"upl"
        line.go()
        assert await server.exactly(3) == b"oad"
        server.write(OK)
        line.go()
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        line.go(2)
        assert await client.exactly(6) == b"respon"
        line.go()
        assert await client.exactly(2) == b"se"
        await w.ended()
    assert line.asked == [
        (False, 1), (False, 6), (False, 3), (True, 1), (True, 8), (True, 5), (True, 2)
    ]  # fmt: skip
    assert line.ended == [True]


async def test_streamed_bodies_go_on_piece_by_piece() -> None:
    line = Slow(open_=True)
    async with world(addons=[Setting(line)], stream_large_bodies="1") as w:
        origin = w.origin()
        client = w.client()
        client.write(POST)
        server = await origin.accept()
        await server.head()
        assert await server.exactly(6) == b"upload"
        server.write(OK)
        assert await client.message() == OK
    assert max(size for _, size in line.asked) <= 8


async def test_a_client_that_leaves_frees_the_origin_while_its_answer_is_paced() -> None:
    """features 42."""
    line = Slow()
    recorder = Recorder()
    async with world(addons=[Setting(line), recorder]) as w:
        origin = w.origin()
        client = w.client()
        client.write(GET)
        server = await origin.accept()
        line.go(3)
        await server.head()
        server.write(OK)
        await client.head()
        client.close()
        await w.ended()
        assert recorder.hooks[-1] == "flow_end"


async def test_answers_of_addons_are_paced_too() -> None:
    line = Slow(open_=True)

    class Mock(Setting):
        def request(self, flow: HTTPFlow) -> None:
            flow.response = Response.make(200, b"0123456789")

    async with world(addons=[Mock(line)]) as w:
        client = w.client()
        client.write(GET)
        assert (await client.message()).endswith(b"0123456789")
    assert [size for to_client, size in line.asked if to_client] == [1, 10, 7, 4, 1]


async def test_raw_streams_are_paced_by_the_line_of_their_client() -> None:
    line = Slow(open_=True)
    flows: list[TCPFlow] = []

    class Seen(Setting):
        def tcp_end(self, flow: TCPFlow) -> None:
            flows.append(flow)

    async with world(addons=[Seen(line)]) as w:
        origin = w.origin("example.com", 9000)
        client = w.client()
        client.write(b"CONNECT example.com:9000 HTTP/1.1\r\nHost: example.com:9000\r\n\r\n")
        await client.head()
        client.write(b"\x00client says")
        server = await origin.accept()
        assert await server.exactly(12) == b"\x00client says"
        server.write(b"server says")
        assert await client.exactly(11) == b"server says"
        server.close()
        client.close()
        await w.ended()
    assert (False, 12) in line.asked
    assert (True, 11) in line.asked


class End:
    """Does something else than answer."""

    def __init__(self, how: str) -> None:
        self.how = how

    async def request(self, flow: HTTPFlow) -> None:
        if self.how == "close":
            flow.kill(reset=False)
        elif self.how == "reset":
            flow.kill()
        elif self.how == "raw":
            flow.answer_raw(b"\x00\xffgarbage")
        else:
            await flow.wait_until_gone()


@pytest.mark.parametrize(
    ("how", "seen", "reset"),
    [("close", b"", False), ("reset", b"", True), ("raw", b"\x00\xffgarbage", False)],
)
async def test_ends_without_an_answer(how: str, seen: bytes, reset: bool) -> None:
    """features 21: each can be told from the others."""
    recorder = Recorder()
    async with world(addons=[End(how), recorder]) as w:
        client = w.client()
        client.write(GET)
        assert await client.rest() == seen
        assert client.reset is reset
        await w.ended()
        assert w.network.dialled == []
    assert recorder.hooks[-2].startswith("error: ")


async def test_no_answer_ever_lasts_until_the_client_leaves() -> None:
    recorder = Recorder()
    async with world(addons=[End("hang"), recorder]) as w:
        gate = w.gate("requestheaders")
        client = w.client()
        client.write(GET)
        await gate.reached()
        gate.release()
        client.close()
        await w.ended()
    assert recorder.hooks[-2:] == ["error: client disconnected", "flow_end"]


def test_what_is_over_cannot_be_answered() -> None:
    with pytest.raises(ProxyfwError, match="cannot be answered: it is over"):
        http_flow().answer_raw(b"")
