"""Faults and slow networks on streams of HTTP/2: each concerns its own stream, and no other."""

from __future__ import annotations

import asyncio

import pytest
from h2.errors import ErrorCodes
from http2_ends import get, h2_client, h2_origin

from proxyfw.testing import in_virtual_time, world
from proxyfw_addons.faults import Faults
from proxyfw_addons.throttle import Throttling


@pytest.mark.parametrize("kind", ["reset", "empty", "garbage"])
async def test_a_stream_of_http2_is_reset_and_no_other(kind: str) -> None:
    async with world(addons=[Faults()], fault=[f"|~u /broken|{kind}"], ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        broken, good = client.ask(get(b"/broken")), client.ask(get(b"/good"))
        assert (await client.whole(broken)).reset == ErrorCodes.INTERNAL_ERROR
        server = await h2_origin(origin)
        number, _ = await server.asked()
        server.answer(number, b"ok")
        assert (await client.whole(good)).body == b"ok"


async def test_a_stream_of_http2_is_reset_in_its_body() -> None:
    async with world(addons=[Faults()], fault=["close after=3"], ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream = client.ask(get(b"/"))
        server = await h2_origin(origin)
        number, _ = await server.asked()
        server.answer(number, b"answer")
        heard = await client.whole(stream)
        assert (heard.body, heard.reset) == (b"ans", ErrorCodes.INTERNAL_ERROR)


@in_virtual_time
async def test_streams_share_the_link_and_others_are_not_held_up() -> None:
    """features 41: of one connection, too."""
    rule = {"match": {"path": "/slow"}, "action": {"type": "throttle", "down": "200kbit"}}
    async with world(addons=[Throttling()], ssl_insecure=True) as w:
        w.proxy.addons.rules.add(rule)
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        slow, fast = client.ask(get(b"/slow")), client.ask(get(b"/fast"))
        server = await h2_origin(origin)
        began = asyncio.get_running_loop().time()
        for number in ((await server.asked())[0], (await server.asked())[0]):
            server.head(number, [(b":status", b"200")])
            await server.body(number, bytes(50_000))
        assert len((await client.whole(fast)).body) == 50_000
        assert asyncio.get_running_loop().time() - began < 0.1
        assert len((await client.whole(slow)).body) == 50_000
        assert asyncio.get_running_loop().time() - began == pytest.approx(2, rel=0.05)
