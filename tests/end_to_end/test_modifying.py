"""What curl gets, and a server is sent, over HTTPS and HTTP/2, where rules modify both."""

from __future__ import annotations

import asyncio
import gzip
import shutil

import pytest
from ends import PATIENCE, Conversation, Field, answer

from proxyfw.proxy import Proxy
from proxyfw_addons.modify import Modify
from proxyfw_addons.stickycookie import StickyCookie

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed"),
]


async def curl(proxy: Proxy, *arguments: str) -> bytes:
    """What curl prints; its complaint if it fails."""
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "-q", "--noproxy", "", "--proxy", proxy.url, "--cacert", str(proxy.ca_cert_path),
        *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE):
        out, _ = await process.communicate()
    return out


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
async def test_a_compressed_page_over_https(field: Field, version: str) -> None:
    """Features 26 and 27, mitmproxy 5.6.107 and 108: curl decodes it, so encoding and length are right."""
    page = "<html><head></head><body>é old</body></html>"
    requests = []

    async def serve(talk: Conversation) -> None:
        while True:
            requests.append(await talk.message())
            await talk.send(
                answer(
                    gzip.compress(page.encode()),
                    headers="Content-Type: text/html; charset=utf-8\r\nContent-Encoding: gzip\r\n"
                    "Server: x\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2; Path=/\r\n",
                )
            )

    origin = await field.origin(serve)
    proxy = await field.proxy(
        Modify(),
        StickyCookie(),
        modify_headers=["/~s/Server/", "|~q|X-Env|staging"],
        modify_body=[r"/~s/o(ld)/OL\1"],
        stickycookie="~all",
    )
    proxy.addons.rules.add(
        {"action": {"type": "modify_response", "inject": "<b>→</b>", "headers": {"add": {"X-B": 1}}}}
    )
    url = f"https://example.test:{origin.port}/"
    for _ in range(2):
        got = await curl(proxy, version, "-i", "--compressed", url)
        head, _, body = got.partition(b"\r\n\r\n")
        head, _, body = body.partition(b"\r\n\r\n") if b"established" in head.lower() else (head, "", body)
        assert body.decode() == page.replace("</head>", "<b>→</b></head>").replace("old", "OLld")
        assert b"\r\nserver:" not in head.lower()
        assert head.lower().count(b"\r\nx-b: 1") == 1
        assert head.lower().count(b"\r\nset-cookie: ") == 2
    assert b"\r\nX-Env: staging\r\n" in requests[0]
    assert b"\r\ncookie: a=1; b=2\r\n" in requests[1].lower()
    assert b"\r\ncookie:" not in requests[0].lower()


async def test_a_body_that_is_sent(field: Field) -> None:
    origin = await field.origin()
    proxy = await field.proxy(Modify())
    proxy.addons.rules.add(
        {"action": {"type": "modify_request", "json_merge": {"user": "eve", "age": None}, "method": "PUT"}}
    )
    proxy.addons.rules.add({"action": {"type": "modify_response", "status": 201, "json": {"ok": True}}})
    data = ("--json", '{"user": "bob", "age": 7, "z": 1}', "-w", " %{http_code} %{content_type}")
    got = await curl(proxy, *data, f"https://example.test:{origin.port}/")
    assert got == b'{"ok":true} 201 application/json'
    (request,) = origin.requests
    assert request.startswith(b"PUT / HTTP/1.1\r\n")
    assert request.endswith(b'\r\n\r\n{"user":"eve","z":1}')


async def test_a_head_without_its_body(field: Field) -> None:
    """mitmproxy 5.6.107: an answer to HEAD keeps the length that it declares."""

    async def serve(talk: Conversation) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")

    origin = await field.origin(serve)
    proxy = await field.proxy(Modify(), modify_body=["/^/x"])
    got = await curl(proxy, "-I", f"https://example.test:{origin.port}/")
    assert b"content-length: 1234\r\n" in got.lower()
