"""``mitmproxy.addons.asgiapp``: web applications that answer for a host, inside the proxy.

The application is called in the proxy's own process: ASGI on its loop, WSGI in a thread. Bodies are buffered,
and there are no WebSockets; an application that fails is answered with 500.
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import urllib.parse
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from proxyfw.alias import names_of
from proxyfw.http import Headers, HTTPFlow, Response

log = logging.getLogger("proxyfw")

Scope = dict[str, Any]
Application = Callable[..., Awaitable[None]]


class ASGIApp:
    """An addon: requests for *host* and *port* (any, if it is None) go to *asgi_app*, not to an origin."""

    def __init__(self, asgi_app: Application, host: str, port: int | None) -> None:
        self.asgi_app = asgi_app
        self.host = host
        self.port = port

    @property
    def name(self) -> str:
        """How the addon is called."""
        return f"asgiapp:{self.host}:{self.port}"

    def should_serve(self, flow: HTTPFlow) -> bool:
        """Whether the application answers *flow*."""
        return (
            flow.request.pretty_host == self.host
            and self.port in (None, flow.request.port)
            and flow.live
            and not flow.error
            and not flow.response
        )

    async def request(self, flow: HTTPFlow) -> None:
        """Answer the request, if it is ours."""
        if self.should_serve(flow):
            await serve(self.asgi_app, flow)


class WSGIApp(ASGIApp):
    """The same for a WSGI application. PEP 3333."""

    def __init__(self, wsgi_app: Callable[..., Iterable[bytes]], host: str, port: int | None) -> None:
        async def in_thread(flow: HTTPFlow) -> None:
            flow.response = await asyncio.to_thread(_call_wsgi, wsgi_app, flow)

        super().__init__(in_thread, host, port)

    async def request(self, flow: HTTPFlow) -> None:
        """Answer the request, if it is ours."""
        if self.should_serve(flow):
            await _or_failure(flow, self.asgi_app(flow))


def make_scope(flow: HTTPFlow) -> Scope:
    """What the request is to an ASGI application."""
    path, _, query = flow.request.path_bytes.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": flow.request.http_version.removeprefix("HTTP/").removesuffix(".0"),
        "method": flow.request.method,
        "scheme": flow.request.scheme,
        "path": urllib.parse.unquote(path.decode("utf-8", "surrogateescape")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in flow.request.headers.fields],
        "client": flow.client_conn.peername,
        "server": (flow.request.host, flow.request.port),
        "extensions": {"mitmproxy.master": None, "proxyfw.flow": flow},
    }


async def serve(app: Application, flow: HTTPFlow) -> None:
    """Let *app*, an ASGI application, answer *flow*."""
    await _or_failure(flow, _call_asgi(app, flow))


async def _or_failure(flow: HTTPFlow, answering: Awaitable[None]) -> None:
    try:
        await answering
    except Exception:
        log.exception("the application for %s failed", flow.request.pretty_url)
        flow.response = Response.make(500, "The application failed; the proxy's log says why.\n")


async def _call_asgi(app: Application, flow: HTTPFlow) -> None:
    started: Scope = {}
    body: list[bytes] = []
    unread = [flow.request.raw_content or b""]

    async def receive() -> Scope:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return {"type": "http.disconnect"}

    async def send(event: Scope) -> None:
        if event["type"] == "http.response.start":
            started.update(event)
        elif event["type"] == "http.response.body":
            body.append(event.get("body", b""))

    await app(make_scope(flow), receive, send)
    if not started:
        raise RuntimeError("the application did not answer")
    _answer(flow, started["status"], started.get("headers", ()), b"".join(body))


def _answer(flow: HTTPFlow, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
    response = Response.make(status)
    response.headers = Headers((bytes(name), bytes(value)) for name, value in headers)
    response.raw_content = body
    if "content-length" not in response.headers and "transfer-encoding" not in response.headers:
        response.headers["content-length"] = str(len(body))
    flow.response = response


def _call_wsgi(app: Callable[..., Iterable[bytes]], flow: HTTPFlow) -> Response | None:
    started: list[Any] = []
    written: list[bytes] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        started[:] = [status, headers]
        return written.append

    chunks = app(_environ(flow), start_response)
    try:
        body = b"".join([*written, *chunks])
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    if not started:
        raise RuntimeError("the application did not call start_response")
    status, headers = started
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    _answer(flow, int(status.split()[0]), raw, body)
    return flow.response


def _environ(flow: HTTPFlow) -> dict[str, Any]:
    request = flow.request
    path, _, query = request.path_bytes.partition(b"?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": urllib.parse.unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(request.raw_content or b"")),
        "SERVER_NAME": request.host,
        "SERVER_PORT": str(request.port),
        "SERVER_PROTOCOL": request.http_version,
        "REMOTE_ADDR": (flow.client_conn.peername or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": io.BytesIO(request.raw_content or b""),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name in request.headers:
        key = "HTTP_" + name.upper().replace("-", "_")
        if key not in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"):
            environ[key] = request.headers[name]
    return environ


__getattr__ = names_of("addons.asgiapp")
