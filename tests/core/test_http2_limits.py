"""What an HTTP/2 peer cannot make the proxy do: wait, hold, work or believe too much."""

from __future__ import annotations

import asyncio

from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from http2_ends import (
    get,
    h2_client,
    h2_origin,
)

from proxyfw.http import HTTPFlow
from proxyfw.testing import world


async def test_an_origin_that_takes_one_request_at_a_time_gets_one_at_a_time() -> None:
    """5.4.80."""
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        ids = [client.ask(get(b"/0"))]
        server = await h2_origin(origin, {SettingCodes.MAX_CONCURRENT_STREAMS: 1})
        number, _ = await server.asked()
        ids += [client.ask(get(b"/%d" % n)) for n in range(1, 10)]
        for n, stream_id in enumerate(ids):
            server.answer(number, b"%d" % n)
            assert (await client.whole(stream_id)).body == b"%d" % n
            if n < 9:
                number, request = await server.asked()
                assert request[b":path"] == b"/%d" % (n + 1)
        assert len(w.network.dialled) == 1


async def test_a_request_that_waits_for_its_turn_leaves_the_line_with_its_client() -> None:
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        first = client.ask(get(b"/1"))
        server = await h2_origin(origin, {SettingCodes.MAX_CONCURRENT_STREAMS: 1})
        one, _ = await server.asked()
        second, third = client.ask(get(b"/2")), client.ask(get(b"/3"))
        client.reset(second, ErrorCodes.CANCEL)
        await w.ended(1)
        server.answer(one)
        await client.whole(first)
        number, request = await server.asked()
        assert request[b":path"] == b"/3"
        server.answer(number, b"three")
        assert (await client.whole(third)).body == b"three"


async def test_a_slow_reader_blocks_no_other_and_holds_little() -> None:
    """5.4.81."""
    size = 8_000_000

    class Stream:
        def responseheaders(self, flow: HTTPFlow) -> None:
            assert flow.response
            flow.response.stream = True

    async with world(addons=[Stream()], ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        slow = client.ask(get(b"/slow"))
        client.slow.add(slow)
        client.h2.increment_flow_control_window(10**7)
        server = await h2_origin(origin)
        number, _ = await server.asked()
        server.head(number, [(b":status", b"200")])
        sending = asyncio.create_task(server.body(number, bytes(size)))
        await client.until(lambda: len(client.heard(slow).body) == 65535)
        for n in range(20):
            stream_id = client.ask(get(b"/%d" % n))
            other, _ = await server.asked()
            server.head(other, [(b":status", b"200")])
            await server.body(other, bytes(100_000))
            assert len((await client.whole(stream_id)).body) == 100_000
        assert len(client.heard(slow).body) == 65535
        assert not sending.done()
        left = server.h2.local_flow_control_window(number)
        assert left == 0  # the origin has been stopped
        taken = 65535
        while not client.heard(slow).over:
            client.take(slow, taken)
            before = len(client.heard(slow).body)
            await client.until(lambda: len(client.heard(slow).body) > before or client.heard(slow).over)  # noqa: B023
            taken = len(client.heard(slow).body) - before
        assert len(client.heard(slow).body) == size
        await sending


async def test_a_slow_origin_stops_its_uploader_and_no_other() -> None:
    """5.4.81."""
    async with world(ssl_insecure=True, stream_large_bodies="1") as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        slow = client.ask(get(b"/slow", b"POST"), end=False)
        client.data(slow, b"xx")
        server = await h2_origin(origin)
        number, _ = await server.asked()
        server.slow.add(number)
        server.h2.increment_flow_control_window(10**7)
        sending = asyncio.create_task(client.body(slow, bytes(4_000_000)))
        await server.until(lambda: len(server.heard(number).body) == 65535)
        quick = client.ask(get(b"/quick", b"POST"), b"body")
        other, _ = await server.asked()
        assert (await server.whole(other)).body == b"body"
        server.answer(other, b"ok")
        assert (await client.whole(quick)).body == b"ok"
        assert not sending.done()
        sending.cancel()


async def test_a_malformed_request_is_reset_and_the_next_one_served() -> None:
    """5.4.82."""
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        bad = [client.ask(get(b"/", b"GET", field)) for field in [(b"X", b"y"), (b"connection", b"x")]]
        good = client.ask()
        server = await h2_origin(origin)
        number, _ = await server.asked()
        server.answer(number, b"ok")
        assert (await client.whole(good)).body == b"ok"
        assert [client.heard(stream_id).reset for stream_id in bad] == [ErrorCodes.PROTOCOL_ERROR] * 2


async def test_a_body_that_is_not_as_long_as_declared_fails_its_request() -> None:
    """5.4.82."""
    async with world(ssl_insecure=True) as w:
        client = await h2_client(w)
        stream_id = client.ask(get(b"/", b"POST", (b"content-length", b"10")), b"body")
        assert (await client.whole(stream_id)).reset == ErrorCodes.PROTOCOL_ERROR
        [flow] = await w.ended()
        assert "expected 10 bytes, received 4" in str(flow.error)
        assert w.network.dialled == []


async def test_an_answer_that_is_not_as_long_as_declared_is_a_502() -> None:
    """5.4.82 and 5.1.13."""
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        first, second = client.ask(get(b"/1", b"POST")), client.ask(get(b"/2", b"POST"))
        server = await h2_origin(origin)
        one, _ = await server.asked()
        other, _ = await server.asked()
        server.head(one, [(b":status", b"200"), (b"content-length", b"10")])
        server.data(one, b"short", True)
        answer = await client.whole(first)
        assert (answer[b":status"], b"expected 10 bytes, received 5" in answer.body) == (b"502", True)
        server.answer(other, b"ok")
        assert (await client.whole(second)).body == b"ok"


async def test_a_client_that_floods_is_sent_away_and_others_stay() -> None:
    """5.4.83."""
    async with world(ssl_insecure=True) as w:
        client, other = await h2_client(w), await h2_client(w)
        client.wire.write((b"\0\0\x08\6\0\0\0\0\0" + bytes(8)) * 5000)
        await client.until(lambda: client.gone)
        assert client.farewell == ErrorCodes.ENHANCE_YOUR_CALM
        origin = w.origin("example.com", 443)
        stream_id = other.ask()
        server = await h2_origin(origin)
        number, _ = await server.asked()
        server.answer(number, b"ok")
        assert (await other.whole(stream_id)).body == b"ok"


async def test_rapid_reset_starts_no_more_stories_than_streams_are_allowed() -> None:
    """5.4.83; hooks that are still busy count."""
    running = peak = 0

    class Busy:
        async def requestheaders(self, flow: HTTPFlow) -> None:
            nonlocal running, peak
            running += 1
            peak = max(peak, running)
            await asyncio.sleep(0.01)
            running -= 1

    async with world(addons=[Busy()], ssl_insecure=True) as w:
        client = await h2_client(w)
        for _ in range(300):
            stream_id = client.h2.get_next_available_stream_id()
            client.h2.send_headers(stream_id, get(), end_stream=True)
            client.h2.reset_stream(stream_id, ErrorCodes.CANCEL)
        client.flush()
        await w.ended(100)
        assert peak == 100


async def test_a_large_head_is_answered_431_and_the_connection_lives() -> None:
    """5.4.86."""
    async with world(ssl_insecure=True, max_head_size="1k") as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        answer = await client.fetch(get(b"/", b"GET", (b"x", b"y" * 2000)))
        assert (answer[b":status"], b"header list of" in answer.body) == (b"431", True)
        stream_id = client.ask()
        server = await h2_origin(origin)
        number, _ = await server.asked()
        server.head(number, [(b":status", b"200"), (b"x", b"y" * 2000)], end=True)
        answer = await client.whole(stream_id)
        assert (answer[b":status"], b"header list of" in answer.body) == (b"502", True)
        stream_id = client.ask()
        number, _ = await server.asked()
        server.answer(number, b"ok")
        assert (await client.whole(stream_id)).body == b"ok"


async def test_a_head_that_the_origin_does_not_want_is_not_sent() -> None:
    """5.4.86."""
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream_id = client.ask()
        server = await h2_origin(origin, {SettingCodes.MAX_HEADER_LIST_SIZE: 500})
        number, _ = await server.asked()
        server.answer(number)
        await client.whole(stream_id)
        answer = await client.fetch(get(b"/", b"GET", (b"x", b"y" * 1000)))
        assert (answer[b":status"], b"allows 500" in answer.body) == (b"502", True)


async def test_an_edit_that_cannot_be_said_fails_one_request() -> None:
    class Edit:
        def request(self, flow: HTTPFlow) -> None:
            if flow.request.path == "/bad":
                flow.request.headers["X-Bad"] = "a\r\nb: c"

    async with world(addons=[Edit()], ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        bad, good = client.ask(get(b"/bad")), client.ask(get(b"/good"))
        server = await h2_origin(origin)
        number, request = await server.asked()
        assert request[b":path"] == b"/good"
        server.answer(number, b"ok")
        assert (await client.whole(good)).body == b"ok"
        answer = await client.whole(bad)
        assert (answer[b":status"], b"X-Bad" in answer.body) == (b"502", True)
