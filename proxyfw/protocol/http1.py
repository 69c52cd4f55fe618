"""HTTP/1.0 and 1.1: bytes in, events out; events in, bytes out; for either end of a connection.

Heads are read and written here, so that names, values, order and targets stay exactly as they were sent and
whatever is ambiguous is refused. RFC 9112.
"""

from __future__ import annotations

from collections.abc import Sequence

from proxyfw.exceptions import LocalProtocolError, ProtocolError
from proxyfw.model.own_code import own_code
from proxyfw.protocol.events import END, Data, Event, Informational, RawHeaders, RequestHead, ResponseHead
from proxyfw.protocol.fields import Block
from proxyfw.protocol.http1_buffer import HeadBuffer
from proxyfw.protocol.http1_codec import Codec
from proxyfw.protocol.http1_engine import NewEngine
from proxyfw.protocol.http1_head import (
    CHUNKED,
    UNDECLARED,
    body_length,
    check_host,
    check_target,
    has_token,
    is_text,
    is_token,
    keeps_alive,
    parse_request_line,
    parse_status_line,
    quote,
    write_fields,
)

__all__ = ["ClientCodec", "Codec", "OtherVersion", "ServerCodec"]


@own_code
class ServerCodec(Codec):
    """The side that reads requests and writes responses.

    A response with neither Content-Length nor Transfer-Encoding goes out chunked, to HTTP/1.0 without
    framing and followed by a close. ``Connection: close`` is added when the connection will close and the
    response does not say so, ``Connection: keep-alive`` when an HTTP/1.0 client asked for it and gets it.
    Informational responses to HTTP/1.0 are dropped.
    """

    __slots__ = ("_expects_continue", "_head", "_method", "_old", "_upgrade")
    _serves = True
    _theirs = "request"

    def __init__(self, max_head_size: int = 65536, engine: NewEngine | None = None) -> None:
        self._head = HeadBuffer(max_head_size, parse_request_line, prefix=b"", skip_empty_lines=True)
        super().__init__(max_head_size, engine)

    def _begin(self) -> None:
        super()._begin()
        self._method = b""
        self._old = True
        self._upgrade = False
        self._expects_continue = False

    @property
    def wants_continue(self) -> bool:
        """The client waits for 100 Continue, or a final response, before it sends the body."""
        return self._expects_continue and self._reading == "body"

    @property
    def asks_for_upgrade(self) -> bool:
        """The client would rather go on in another protocol. RFC 9110 section 7.8."""
        return self._upgrade

    def _may_follow(self) -> bool:
        # Requests that came before the client's EOF are still to be answered.
        return not self._eof or bool(self._backlog)

    def _unread_head(self) -> bytes:
        return self._head.clear()

    def _head_cut_short(self) -> None:
        if len(self._head):
            raise ProtocolError(f"request head cut short: received {quote(self._head.clear())}")

    def _read_head(self, data: bytes, events: list[Event]) -> None:
        found = self._head.feed(data)
        if found is None:
            return
        (method, version, scheme, authority, path), headers, rest = found
        framing = headers.block.framing
        if framing is None or framing[0] != version:
            framing = headers.block.framing = version, _request_framing(headers.block, version)
        length, self._closing, upgrade, expects = framing[1]
        if method == b"CONNECT" and length:
            raise ProtocolError("a CONNECT request has no body")
        events.append(RequestHead(method, path, headers, version, scheme, authority))
        self._method = method
        self._old = version != b"HTTP/1.1"
        if not self._old:
            self._upgrade, self._expects_continue = upgrade, expects
        self._start_body(length, self._old, rest, events)

    def _read_body(self, data: bytes, events: list[Event]) -> None:
        if data:
            self._expects_continue = False
        super()._read_body(data, events)

    def _send_head(self, event: Event, rest: Sequence[Event], out: list[bytes]) -> None:
        if type(event) is not ResponseHead and type(event) is not Informational:
            raise LocalProtocolError(f"a server cannot send {type(event).__name__} over HTTP/1")
        if not is_text(event.reason):
            raise LocalProtocolError(f"reason phrase has a control character: {quote(event.reason)}")
        if isinstance(event, Informational):
            self._send_informational(event, out)
        elif event.status == 101:
            self._send_switch(event, out)
        else:
            self._send_response(event, rest, out)

    def _send_informational(self, event: Informational, out: list[bytes]) -> None:
        if not 100 <= event.status < 200 or event.status == 101:
            raise LocalProtocolError(f"status {event.status} is not informational")
        if self._writing != "head" or self._reading == "head":
            raise LocalProtocolError("an informational response comes between a request and its response")
        if self._old:
            return  # RFC 9110 section 15.2
        self._expects_continue = False
        _write_head(event, write_fields(event.headers), out)

    def _send_switch(self, event: ResponseHead, out: list[bytes]) -> None:
        if not self._upgrade or self._reading != "done":
            raise LocalProtocolError("101 answers a complete request that asked for an Upgrade")
        fields = write_fields(event.headers)
        self._give_up()
        _write_head(event, fields, out)

    def _give_up(self) -> None:
        self._engine.begin(0)
        self._reading = "opaque"
        self._writing = "no body"

    def _send_response(self, event: ResponseHead, rest: Sequence[Event], out: list[bytes]) -> None:
        if not 200 <= event.status <= 999:
            raise LocalProtocolError(f"status {event.status} of a response is out of range")
        if self._writing != "head":
            raise LocalProtocolError("events out of order for HTTP/1: a second response")
        known, length, fields = self._described(event.headers)
        if self._method == b"CONNECT" and event.status < 300:
            self._give_up()
            _write_head(event, _without_framing(event.headers), out)
            return
        has_body = self._method != b"HEAD" and event.status not in (204, 304)
        if has_body:
            self._check_whole(length, rest)
            length, fields = self._frame(length, event.headers, fields)
        else:
            length = 0
        self._engine.begin(length)
        self._declared = length
        self._writing = "body" if has_body else "no body"
        _write_head(event, fields + self._persistence(known.get(b"connection")), out)
        self._expects_continue = False

    def _frame(self, length: int, headers: RawHeaders, fields: bytes) -> tuple[int, bytes]:
        """Return length and field lines in the framing that the client understands."""
        if length == UNDECLARED and not self._old:
            return CHUNKED, fields + b"Transfer-Encoding: chunked\r\n"
        if length == CHUNKED and self._old:
            return UNDECLARED, _without_framing(headers)
        return length, fields

    def _persistence(self, connection: bytes | None) -> bytes:
        """Return the Connection line to add to a response, after deciding whether this cycle is the last."""
        says_close = has_token(connection, b"close")
        # A client that was not told to continue may send the body or leave it out: what follows is a guess.
        lost_track = self._reading == "head" or self.wants_continue
        if says_close or self._declared == UNDECLARED or lost_track:
            self._closing = True
        if self.closing:
            return b"" if says_close else b"Connection: close\r\n"
        if self._old and not has_token(connection, b"keep-alive"):
            return b"Connection: keep-alive\r\n"
        return b""


def _request_framing(block: Block, version: bytes) -> tuple[int, bool, bool, bool]:
    """Length, and whether it closes, upgrades, expects 100 (Continue). Raises ProtocolError."""
    known = block.notable
    check_host(block.fields, known)
    length = body_length(known, version)
    if length == UNDECLARED:
        length = 0  # RFC 9112 section 6.3
    expects = has_token(known.get(b"expect"), b"100-continue")
    return length, not keeps_alive(known, version), b"upgrade" in known, expects


def _without_framing(headers: RawHeaders) -> bytes:
    framing = (b"content-length", b"transfer-encoding")
    return write_fields([field for field in headers if field[0].lower() not in framing])


def _write_head(head: ResponseHead | Informational, fields: bytes, out: list[bytes]) -> None:
    out.append(b"HTTP/1.1 %d %b\r\n%b\r\n" % (head.status, head.reason, fields))


class OtherVersion(ProtocolError):
    """The other side does not speak HTTP/1.1, but HTTP/2, as it seems."""


@own_code
class ClientCodec(Codec):
    """The side that writes requests and reads responses.

    A request with neither Content-Length nor Transfer-Encoding gets ``Transfer-Encoding: chunked`` if Data
    follows its head in the same `send`; otherwise it has no body, and later Data is refused. With
    *absolute_form* requests name scheme and authority in the request line, as an upstream proxy needs it.
    """

    __slots__ = ("_absolute_form", "_head", "_method", "_upgrade")
    _serves = False
    _theirs = "response"

    def __init__(
        self, max_head_size: int = 65536, engine: NewEngine | None = None, *, absolute_form: bool = False
    ) -> None:
        self._head = HeadBuffer(max_head_size, parse_status_line, prefix=b"HTTP/", skip_empty_lines=False)
        self._absolute_form = absolute_form
        super().__init__(max_head_size, engine)

    def _begin(self) -> None:
        super()._begin()
        self._method = b""
        self._upgrade = False

    def _may_follow(self) -> bool:
        return not self._eof and not self._backlog

    def _unread_head(self) -> bytes:
        return self._head.clear()

    def receive(self, data: bytes) -> list[Event]:
        """Take received bytes, ``b""`` for EOF, and return what they complete. Raises ProtocolError, 502."""
        try:
            return super().receive(data)
        except ProtocolError as exc:
            if self._reading == "head" and data[:1] == b"\0" and not len(self._head):  # SETTINGS begin so
                self._failure = exc = OtherVersion(f"it speaks HTTP/2, not HTTP/1.1: {exc}")
            exc.status = 502
            raise exc from None

    def _head_cut_short(self) -> None:
        if len(self._head):
            raise ProtocolError(f"response head cut short: received {quote(self._head.clear())}")
        if self._writing != "head":
            raise ProtocolError("closed the connection without sending a response")

    def _read_head(self, data: bytes, events: list[Event]) -> None:
        if self._writing == "head":
            raise ProtocolError(f"sent {quote(data)} before any request")
        while data and (found := self._head.feed(data)) is not None:
            (version, status, reason), headers, data = found
            if status >= 200 or status == 101:
                head = ResponseHead(status, headers, reason, version)
                self._read_response(head, headers.block, data, events)
                return
            events.append(Informational(status, headers, reason, version))

    def _read_response(self, head: ResponseHead, block: Block, rest: bytes, events: list[Event]) -> None:
        framing = block.framing
        if framing is None or framing[0] != head.version:
            framing = block.framing = head.version, _response_framing(block.notable, head.version)
        length, closes, *_ = framing[1]
        if head.status == 101 and not self._upgrade:
            raise ProtocolError("answered 101 to a request without Upgrade")
        events.append(head)
        if head.status == 101 or (self._method == b"CONNECT" and head.status < 300):
            events.append(END)
            self._reading = "opaque"
            self._backlog += rest
            return
        if head.status in (204, 304) or self._method == b"HEAD":
            length = 0
        if length == UNDECLARED or closes:
            self._closing = True
        self._start_body(length, False, rest, events)

    def _send_head(self, event: Event, rest: Sequence[Event], out: list[bytes]) -> None:
        if not isinstance(event, RequestHead):
            raise LocalProtocolError(f"a client cannot send {type(event).__name__} over HTTP/1")
        if self._writing != "head":
            raise LocalProtocolError("events out of order for HTTP/1: a second request")
        if not is_token(event.method):
            raise LocalProtocolError(f"request method {quote(event.method)} is not allowed")
        target = self._target(event)
        known, length, fields = self._described(event.headers)
        self._check_whole(length, rest)
        if length == UNDECLARED:
            length = 0
            if any(type(later) is Data for later in rest):
                fields += b"Transfer-Encoding: chunked\r\n"
                length = CHUNKED
        self._engine.begin(length or UNDECLARED)
        self._declared = length
        self._writing = "body"
        self._method = event.method
        self._upgrade = b"upgrade" in known
        self._closing = has_token(known.get(b"connection"), b"close")
        out.append(b"%b %b HTTP/1.1\r\n%b\r\n" % (event.method, target, fields))

    def _target(self, head: RequestHead) -> bytes:
        if head.method == b"CONNECT":
            target = head.authority
        elif self._absolute_form and head.scheme and head.authority:
            path = b"" if head.target == b"*" else head.target
            target = b"%b://%b%b" % (head.scheme, head.authority, path)
        else:
            target = head.target
        check_target(head.method, target)
        return target


def _response_framing(known: dict[bytes, bytes], version: bytes) -> tuple[int, bool, bool, bool]:
    """As `_request_framing`; responses neither upgrade nor expect. Raises ProtocolError."""
    return body_length(known, version), not keeps_alive(known, version), False, False
