"""A small HTTP client that goes through the proxy and trusts it, made of the standard library.

It needs no package in the environment of those who use the fixtures, behaves the same everywhere, and
follows no redirects, so that a test sees what the proxy has sent.
"""

from __future__ import annotations

import asyncio
import json as jsons
import ssl
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage, HTTPSConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

from .patience import PATIENCE


@dataclass(frozen=True, slots=True)
class Reply:
    """What the client was answered."""

    status_code: int
    reason: str
    headers: HTTPMessage
    content: bytes

    @property
    def text(self) -> str:
        """The content, decoded as its Content-Type says, else as UTF-8."""
        return self.content.decode(self.headers.get_content_charset("utf-8"), "replace")

    def json(self) -> Any:
        """The content as JSON. Raises ValueError."""
        return jsons.loads(self.content)


class ProxyClient:
    """Each request has a connection of its own. Raises OSError or HTTPException where none is answered."""

    def __init__(self, proxy: tuple[str, int], trust: ssl.SSLContext) -> None:
        self._proxy = proxy
        self._trust = trust

    def request(
        self,
        method: str,
        url: str,
        *,
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        content: bytes | str | None = None,
        json: Any = None,
        timeout: float = PATIENCE,
    ) -> Reply:
        """Ask for an absolute *url*; *json* is sent as such, *params* become its query. Blocks."""
        fields = dict(headers or {})
        if json is not None:
            content = jsons.dumps(json)
            fields.setdefault("Content-Type", "application/json")
        if params:
            url += ("&" if "?" in url else "?") + urlencode(params, doseq=True)
        body = content.encode() if isinstance(content, str) else content
        connection, target = self._connection(url, timeout)
        try:
            connection.request(method, target, body, fields)
            answer = connection.getresponse()
            return Reply(answer.status, answer.reason, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, url: str, **more: Any) -> Reply:
        """`request` with GET."""
        return self.request("GET", url, **more)

    def post(self, url: str, **more: Any) -> Reply:
        """`request` with POST."""
        return self.request("POST", url, **more)

    def put(self, url: str, **more: Any) -> Reply:
        """`request` with PUT."""
        return self.request("PUT", url, **more)

    def delete(self, url: str, **more: Any) -> Reply:
        """`request` with DELETE."""
        return self.request("DELETE", url, **more)

    def _connection(self, url: str, timeout: float) -> tuple[HTTPConnection, str]:
        """What to ask, and for what. Raises ValueError for a URL that names no host."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not a URL of http or https with a host")
        if parts.scheme == "http":
            return HTTPConnection(*self._proxy, timeout=timeout), url
        connection = HTTPSConnection(*self._proxy, timeout=timeout, context=self._trust)
        connection.set_tunnel(parts.hostname, parts.port or 443)
        path = parts.path or "/"
        return connection, f"{path}?{parts.query}" if parts.query else path


class AsyncProxyClient:
    """A `ProxyClient` for async tests: the same, awaited, in a thread."""

    def __init__(self, client: ProxyClient) -> None:
        self._client = client

    async def request(self, method: str, url: str, **more: Any) -> Reply:
        """As `ProxyClient.request`."""
        return await asyncio.to_thread(self._client.request, method, url, **more)

    async def get(self, url: str, **more: Any) -> Reply:
        """`request` with GET."""
        return await self.request("GET", url, **more)

    async def post(self, url: str, **more: Any) -> Reply:
        """`request` with POST."""
        return await self.request("POST", url, **more)

    async def put(self, url: str, **more: Any) -> Reply:
        """`request` with PUT."""
        return await self.request("PUT", url, **more)

    async def delete(self, url: str, **more: Any) -> Reply:
        """`request` with DELETE."""
        return await self.request("DELETE", url, **more)
