"""Faults on streams of HTTP/2: each ends in a reset of its own stream, and of no other."""

from __future__ import annotations

import pytest
from h2.errors import ErrorCodes
from http2_ends import get, h2_client, h2_origin

from proxyfw.testing import world
from proxyfw_addons.faults import Faults


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
