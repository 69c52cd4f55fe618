"""A WebSocket of a real browser, which has an HTTP/2 connection open and so asks for it there. RFC 8441."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from proxyfw.certs import Authority, Cert
from proxyfw.http import HTTPFlow, Response
from proxyfw.proxy import Proxy

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TIME_LIMIT = 50
PAGE = b"""<!DOCTYPE html><script>
const socket = new WebSocket("wss://" + location.host + "/socket");
const heard = [];
socket.onopen = () => { socket.send("hello"); socket.send(new Uint8Array([1, 2, 3])); };
socket.onmessage = event => {
  heard.push(typeof event.data == "string" ? event.data : event.data.size);
  if (heard.length == 2) socket.close(4001, "bye");
};
socket.onclose = event => fetch("/done?" + encodeURIComponent([...heard, event.code, event.reason]));
</script>"""

pytestmark = pytest.mark.end_to_end


class Site:
    """Answers for the page, and records what becomes of its socket."""

    def __init__(self) -> None:
        self.done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.flow: HTTPFlow | None = None
        self.connects: set[str] = set()
        """The versions of HTTP in which tunnels were asked for."""

    def http_connect(self, flow: HTTPFlow) -> None:
        self.connects.add(flow.request.http_version)

    def request(self, flow: HTTPFlow) -> None:
        path, _, query = flow.request.path.partition("?")
        if path == "/done":
            self.done.set_result(unquote(query))
        if path != "/socket":
            flow.response = Response.make(200, PAGE, {"content-type": "text/html"})

    def websocket_start(self, flow: HTTPFlow) -> None:
        self.flow = flow

    def websocket_message(self, flow: HTTPFlow) -> None:
        assert flow.websocket
        message = flow.websocket.messages[-1]
        if message.from_client and message.is_text:
            message.text += ", edited"


@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")
@pytest.mark.parametrize(("scheme", "connects"), [("http", "HTTP/1.1"), ("https", "HTTP/2.0")])
async def test_a_browser_speaks_websocket_over_http2(tmp_path: Path, scheme: str, connects: str) -> None:
    """5.4.85: to an origin that has only HTTP/1.1; and in HTTP/2 to a proxy that is spoken to in TLS."""
    serving = pytest.importorskip("websockets.asyncio.server")
    assert CHROMIUM
    (tmp_path / "leaf.pem").write_bytes(Authority.create("Origins").issue(["localhost"]).to_pem())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "leaf.pem")

    async def echo(socket: Any) -> None:
        for _ in range(2):
            await socket.send(await socket.recv())
        await socket.wait_closed()

    site = Site()
    confdir = tmp_path / "conf"
    options = {"confdir": str(confdir), "listen_port": 0, "ssl_insecure": True}
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(serving.serve(echo, "127.0.0.1", 0, ssl=context))
        proxy = await stack.enter_async_context(Proxy(options, addons=[site]))
        spki = Cert.from_pem((confdir / "proxyfw-ca-cert.pem").read_bytes()).spki_fingerprint()
        flags = [
            "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
            "--no-sandbox", "--remote-debugging-port=0", f"--user-data-dir={tmp_path / 'profile'}",
            "--proxy-server={}://{}:{}".format(scheme, *proxy.address), "--proxy-bypass-list=<-loopback>",
            f"--ignore-certificate-errors-spki-list={spki}",
        ]  # fmt: skip
        port = origin.sockets[0].getsockname()[1]
        browser = await asyncio.create_subprocess_exec(
            CHROMIUM, *flags, f"https://localhost:{port}/", stderr=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(TIME_LIMIT):
                told = await site.done
        finally:
            browser.terminate()
            await browser.wait()
    assert told == "hello, edited,3,4001,bye"
    assert site.flow
    assert site.flow.response
    assert (site.flow.request.http_version, site.flow.response.http_version) == ("HTTP/2.0", "HTTP/1.1")
    assert site.flow.websocket
    assert (site.flow.websocket.close_code, site.flow.websocket.close_reason) == (4001, "bye")
    assert site.connects == {connects}
