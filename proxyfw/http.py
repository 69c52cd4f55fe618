"""HTTP as addons see it: requests, responses and the flow that holds them.

Facts are stored as the bytes that were on the wire and decoded when read; setting one thing keeps what
belongs to it in step (Host, Content-Length). What cannot be sent is refused by the codec, not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, Self, runtime_checkable

from proxyfw import flow as flows
from proxyfw.connection import Client, Server
from proxyfw.exceptions import ProxyfwError
from proxyfw.flow import Flow
from proxyfw.model import cookies, dates, encoding, url
from proxyfw.model.cookies import CookieAttrs
from proxyfw.model.headers import Headers, HeaderSource, RawField, Text, to_bytes, to_str
from proxyfw.model.media_types import media_type_of
from proxyfw.model.message import Message, Stream, checked_content, checked_headers
from proxyfw.model.multidict import MultiDict, MultiDictView
from proxyfw.model.status import reason as reason_phrase
from proxyfw.model.views import Pairs, RequestViews, pairs_of
from proxyfw.websocket import Serve, WebSocketData

__all__ = [
    "CookieAttrs",
    "HTTPFlow",
    "Headers",
    "Message",
    "MultiDict",
    "MultiDictView",
    "Request",
    "Response",
    "Stream",
    "media_type_of",
]


class Request(RequestViews):
    """An HTTP request.

    `host` and `port` say where it goes; Host header and authority are what the client wrote and may differ
    (see `pretty_host`). `method_bytes`, `scheme_bytes`, `authority_bytes` and `path_bytes` are the slots
    behind the text properties, for those who handle many requests.
    """

    __slots__ = ("_host", "_port", "authority_bytes", "method_bytes", "scheme_bytes")
    _facts = (
        *Message._facts,
        ("host", "_host"),
        ("port", "_port"),
        ("method", "method_bytes"),
        ("scheme", "scheme_bytes"),
        ("authority", "authority_bytes"),
        ("path", "path_bytes"),
    )
    method_bytes: bytes
    scheme_bytes: bytes
    authority_bytes: bytes

    def __init__(
        self,
        host: str,
        port: int,
        method: bytes,
        scheme: bytes,
        authority: bytes,
        path: bytes,
        http_version: bytes,
        headers: Headers | Iterable[RawField],
        content: bytes | None,
        trailers: Headers | Iterable[RawField] | None,
        timestamp_start: float,
        timestamp_end: float | None,
    ) -> None:
        if not (type(method) is type(scheme) is type(authority) is type(path) is type(http_version) is bytes):
            method, scheme = to_bytes(method, "method"), to_bytes(scheme, "scheme")
            authority, path = to_bytes(authority, "authority"), to_bytes(path, "path")
            http_version = to_bytes(http_version, "http_version")
        self._host = host
        self._port = port
        self.method_bytes = method
        self.scheme_bytes = scheme
        self.authority_bytes = authority
        self.path_bytes = path
        self.version_bytes = http_version
        self._headers = headers if headers.__class__ is Headers else checked_headers(headers)
        self._raw_content = None if content is None else checked_content(content)
        self._trailers = None if trailers is None else checked_headers(trailers)
        self.timestamp_start = timestamp_start
        self.timestamp_end = timestamp_end
        self.stream = False
        self.truncated = False

    @classmethod
    def make(cls, method: str, url: str, content: Text = b"", headers: HeaderSource = ()) -> Request:
        """A new HTTP/1.1 request. Content-Length is added where it belongs, a Host header is not.

        Raises ValueError for an invalid URL.
        """
        now = flows.clock()
        request = cls("", 0, b"", b"", b"", b"", b"HTTP/1.1", Headers.of(headers), None, None, now, now)
        request.method = method
        request.url = url
        request._fill(content)
        return request

    @property
    def method(self) -> str:
        """The method, in capitals."""
        return to_str(self.method_bytes).upper()

    @method.setter
    def method(self, method: Text) -> None:
        self.method_bytes = to_bytes(method, "method")

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return to_str(self.scheme_bytes)

    @scheme.setter
    def scheme(self, scheme: Text) -> None:
        self.scheme_bytes = to_bytes(scheme, "scheme")

    @property
    def authority(self) -> str:
        """The authority of the request target (``:authority`` in HTTP/2), ``""`` if it had none."""
        return to_str(self.authority_bytes)

    @authority.setter
    def authority(self, authority: Text) -> None:
        self.authority_bytes = to_bytes(authority, "authority")

    @property
    def host(self) -> str:
        """Where the request goes: a name or an IP address. Setting it updates Host and authority."""
        return self._host

    @host.setter
    def host(self, host: Text) -> None:
        self._host = url.to_ascii(to_str(to_bytes(host, "host")))
        self._name_host()

    @property
    def port(self) -> int:
        """The port it goes to. Setting it updates Host and authority."""
        return self._port

    @port.setter
    def port(self, port: int) -> None:
        if not isinstance(port, int):
            raise TypeError(f"port must be an int, not {type(port).__name__}: {port!r}")
        self._port = port
        self._name_host()

    @property
    def host_header(self) -> str | None:
        """The host as the client wrote it: the authority in HTTP/2 and 3, else the Host header."""
        if self.authority_bytes and (self.is_http2 or self.is_http3):
            return self.authority
        return self._headers.get("host")

    @host_header.setter
    def host_header(self, value: Text | None) -> None:
        modern = self.is_http2 or self.is_http3
        if modern:
            self.authority_bytes = to_bytes(value or b"", "host_header")
        if value is None:
            self._headers.pop("host", None)
        elif not modern or "host" in self._headers:
            self._headers["host"] = value

    @property
    def url(self) -> str:
        """The full URL of where it goes; ``host:port`` for CONNECT. Setting it updates Host and authority."""
        if self.method_bytes == b"CONNECT":
            return url.host_and_port("", self._host, self._port)
        return url.unparse(self.scheme, self._host, self._port, self._url_path)

    @url.setter
    def url(self, value: Text) -> None:
        scheme, self._host, self._port, path = url.parse(value)
        self.scheme_bytes = scheme.encode()
        self.path = path
        self._name_host()

    @property
    def pretty_host(self) -> str:
        """The host the client named, where it named one; else `host`. Do not route by it: it may be a lie."""
        named = self.host_header
        return url.lenient_authority(named)[0] if named else self._host

    @property
    def pretty_url(self) -> str:
        """As `url`, with the host the client named."""
        if self.method_bytes == b"CONNECT":
            return self.authority or self.url
        named = self.host_header
        if not named:
            return self.url
        host, port = url.lenient_authority(named)
        return url.unparse(self.scheme, host, port or url.DEFAULT_PORTS.get(self.scheme, 443), self._url_path)

    @property
    def first_line_format(self) -> str:
        """``authority`` (CONNECT), ``absolute`` or ``relative``. RFC 9112 section 3.2."""
        if self.method_bytes == b"CONNECT":
            return "authority"
        return "absolute" if self.authority_bytes else "relative"

    def anticache(self) -> None:
        """Ask for a full answer: remove If-Modified-Since and If-None-Match."""
        for name in ("if-modified-since", "if-none-match"):
            self._headers.pop(name, None)

    def anticomp(self) -> None:
        """Ask for an uncompressed answer."""
        self._headers["accept-encoding"] = "identity"

    def constrain_encoding(self) -> None:
        """Leave in Accept-Encoding only what we can decode."""
        accepted = self._headers.get("accept-encoding")
        if accepted:
            offers = [offer.strip() for offer in accepted.split(",")]
            known = [
                offer for offer in offers if offer.partition(";")[0].strip().lower() in encoding.SUPPORTED
            ]
            self._headers["accept-encoding"] = ", ".join(known) or "identity"

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url} {_size(self)}>"

    @property
    def _url_path(self) -> str:
        return "" if self.path_bytes == b"*" else self.path

    def _name_host(self) -> None:
        if not self.authority_bytes and "host" not in self._headers:
            return
        scheme = "" if self.method_bytes == b"CONNECT" else self.scheme
        named = url.host_and_port(scheme, self._host, self._port)
        if "host" in self._headers:
            self._headers["host"] = named
        if self.authority_bytes:
            self.authority = named

    def _declares_empty(self) -> bool:
        return self.method_bytes in (b"POST", b"PUT", b"PATCH")


class Response(Message):
    """An HTTP response. `reason_bytes` is the slot behind `reason`."""

    __slots__ = ("_status_code", "reason_bytes")
    _facts = (*Message._facts, ("status_code", "_status_code"), ("reason", "reason_bytes"))
    reason_bytes: bytes

    def __init__(
        self,
        http_version: bytes,
        status_code: int,
        reason: bytes,
        headers: Headers | Iterable[RawField],
        content: bytes | None,
        trailers: Headers | Iterable[RawField] | None,
        timestamp_start: float,
        timestamp_end: float | None,
    ) -> None:
        self.version_bytes = http_version
        self._status_code = status_code
        self.reason_bytes = reason
        self._headers = headers if headers.__class__ is Headers else checked_headers(headers)
        self._raw_content = None if content is None else checked_content(content)
        self._trailers = None if trailers is None else checked_headers(trailers)
        self.timestamp_start = timestamp_start
        self.timestamp_end = timestamp_end
        self.stream = False
        self.truncated = False

    @classmethod
    def make(cls, status_code: int = 200, content: Text = b"", headers: HeaderSource = ()) -> Response:
        """A new HTTP/1.1 response, with the reason phrase and Content-Length that belong to it.

        *content* as str is encoded as the Content-Type says. Raises TypeError for other types.
        """
        now = flows.clock()
        response = cls(b"HTTP/1.1", 0, b"", Headers.of(headers), None, None, now, now)
        response.status_code = status_code
        response.reason = reason_phrase(status_code)
        response._fill(content)
        return response

    @property
    def status_code(self) -> int:
        """The status, 100 to 999. The reason phrase does not follow it."""
        return self._status_code

    @status_code.setter
    def status_code(self, status_code: int) -> None:
        if not isinstance(status_code, int):
            raise TypeError(f"status_code must be an int, not {type(status_code).__name__}: {status_code!r}")
        self._status_code = status_code

    @property
    def reason(self) -> str:
        """The reason phrase; HTTP/2 and 3 have none."""
        return self.reason_bytes.decode("iso-8859-1")

    @reason.setter
    def reason(self, reason: Text) -> None:
        self.reason_bytes = (
            reason.encode("iso-8859-1") if isinstance(reason, str) else to_bytes(reason, "reason")
        )

    @property
    def cookies(self) -> MultiDictView[str, tuple[str, CookieAttrs]]:
        """The cookies set, as a live multi-dict from name to ``(value, attributes)``."""
        return MultiDictView(self._get_cookies, self._set_cookies)

    @cookies.setter
    def cookies(self, pairs: Pairs[str, tuple[str, CookieAttrs]]) -> None:
        self._set_cookies(pairs_of(pairs))

    def refresh(self, now: float | None = None) -> None:
        """Make a recorded response look fresh: move its dates and cookie expiries by its age.

        *now* is seconds since 1970, the clock if None. Dates that cannot be read stay.
        """
        age = (flows.clock() if now is None else now) - self.timestamp_start
        for name in ("date", "expires", "last-modified"):
            moved = [dates.moved(value, age) for value in self._headers.get_all(name)]
            self._headers.set_all(name, moved)
        set_cookies = [cookies.refresh(header, age) for header in self._headers.get_all("set-cookie")]
        self._headers.set_all("set-cookie", set_cookies)

    def __repr__(self) -> str:
        return f"<Response {self._status_code} {_size(self)}>"

    def _get_cookies(self) -> list[tuple[str, tuple[str, CookieAttrs]]]:
        return cookies.parse_set_cookies(self._headers.get_all("set-cookie"))

    def _set_cookies(self, pairs: Iterable[tuple[str, tuple[str, CookieAttrs]]]) -> None:
        old = self._headers.get_all("set-cookie")
        self._headers.set_all("set-cookie", cookies.edit_set_cookies(old, pairs))

    def _declares_empty(self) -> bool:
        return self._status_code >= 200 and self._status_code not in (204, 304)


@runtime_checkable
class RawAnswer(Protocol):
    """A `Control` that can also answer with anything; set by the core."""

    def answer_raw(self, data: bytes) -> None:
        """Send *data* to the client, and then nothing more."""


class HTTPFlow(Flow):
    """One HTTP exchange.

    `request` is there from the first hook on; assigning `response` before the request was sent answers it
    without the origin; `websocket` holds the messages after an upgrade, `websocket_server` is what serves it
    in place of an origin.
    """

    type = "http"
    __slots__ = ("request", "response", "websocket", "websocket_server")
    request: Request
    response: Response | None
    websocket: WebSocketData | None
    websocket_server: Serve | None

    def __init__(self, client_conn: Client, server_conn: Server, live: bool = False) -> None:
        super().__init__(client_conn, server_conn, live)
        self.response = None
        self.websocket = None
        self.websocket_server = None

    @property
    def timestamp_start(self) -> float:
        """When the first byte of the request arrived."""
        return self.request.timestamp_start

    def __repr__(self) -> str:
        return f"<HTTPFlow {getattr(self, 'request', None)!r} {self.response!r}>"

    def answer_raw(self, data: bytes) -> None:
        """Send *data*, which need not be HTTP, instead of an answer, and close the connection.

        An HTTP/2 stream is reset instead. Raises ProxyfwError if the flow is not live.
        """
        control: object = self.control
        if not isinstance(control, RawAnswer):
            raise ProxyfwError(
                f"flow {self.id} cannot be answered: it is over, or not carried by a connection"
            )
        control.answer_raw(data)

    def accept_websocket(self, serve: Serve, protocol: str | None = None) -> None:
        """Answer the opening handshake of a WebSocket: *serve* is its server, and no origin is asked.

        *protocol* is the subprotocol; if it is None, the first that the client offers. Raises ProxyfwError if
        the request is no such handshake. RFC 6455 section 4.2.2.
        """
        from proxyfw.model.websocket_handshake import answer_to  # hashes are not light, and seldom needed

        fields = answer_to(self.request.headers, protocol) if self.request.method == "GET" else None
        if fields is None:
            raise ProxyfwError(f"{self.request.pretty_url}: the request does not open a WebSocket")
        self.response = Response.make(101, b"", fields)
        self.websocket_server = serve

    def _reset(self) -> None:
        super()._reset()
        self.websocket_server = None

    def _assign(self, other: Self) -> None:
        super()._assign(other)
        self.request = other.request.copy_into(getattr(self, "request", None))
        answer = other.response
        self.response = answer.copy_into(getattr(self, "response", None)) if answer is not None else None
        self.websocket = other.websocket.copy() if other.websocket is not None else None

    def _facts(self) -> dict[str, Any]:
        facts = super()._facts()
        facts["request"] = self.request.get_state()
        facts["response"] = self.response.get_state() if self.response is not None else None
        facts["websocket"] = self.websocket.get_state() if self.websocket is not None else None
        return facts

    def _take_facts(self, facts: Mapping[str, Any]) -> None:
        super()._take_facts(facts)
        response, websocket = facts["response"], facts["websocket"]
        self.request = Request.from_state(facts["request"])
        self.response = Response.from_state(response) if response is not None else None
        self.websocket = WebSocketData.from_state(websocket) if websocket is not None else None


# Names of long ago that scripts of the field still use.
HTTPRequest, HTTPResponse = Request, Response


def _size(message: Message) -> str:
    return "no content" if message.raw_content is None else f"{len(message.raw_content)} bytes"
