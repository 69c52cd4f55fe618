"""Client replay to origins that speak HTTP/2, and of requests that came over HTTP/2."""

from __future__ import annotations

import asyncio

from http2_ends import h2_origin

from proxyfw.http import Headers
from proxyfw.testing import http_flow, world


async def test_to_an_origin_of_http2() -> None:
    async with world(ssl_insecure=True, server=False) as w:
        origin = w.origin("example.com", 443)
        for number in range(2):
            flow = http_flow("https://example.com/x", 200)
            flow.request.http_version, flow.request.authority = "HTTP/2.0", "example.com"
            flow.request.headers = Headers([(b"accept", b"*/*")])
            sending = asyncio.create_task(w.proxy.replay(flow))
            if number == 0:
                server = await h2_origin(origin)
                serving = asyncio.create_task(server.serve())
            again = await sending
            assert again.response
            assert again.response.content == b"/x"
            assert again.response.http_version == "HTTP/2.0"
        assert len(w.network.dialled) == 1
        serving.cancel()
        await asyncio.wait([serving])
