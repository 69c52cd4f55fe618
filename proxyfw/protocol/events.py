"""The one vocabulary in which all codecs speak of an exchange, whatever the version of HTTP on the wire.

A message is a head, any number of `Data`, perhaps `Trailers`, and `End`:

    RequestHead  Data*  Trailers?  End
    Informational*  ResponseHead  Data*  Trailers?  End

Headers are a list of ``(name, value)`` byte pairs in wire order, case and duplicates kept; pseudo-headers
never appear among them. `Reset` ends an exchange (or one HTTP/2 stream) without an `End`.
"""

from __future__ import annotations

from dataclasses import dataclass

RawHeaders = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class RequestHead:
    """A request line and headers.

    *target* is the request target without scheme and authority: a path with query, ``*``, or for CONNECT
    empty. *scheme* and *authority* are as sent (absolute-form, ``:scheme``/``:authority``, the CONNECT
    target), else empty: origin-form names its host in the headers only. RFC 9112 section 3.2. HTTP/2 says
    ``:authority`` instead of Host; a head to be sent needs one of the two.
    """

    method: bytes
    target: bytes
    headers: RawHeaders
    version: bytes = b"HTTP/1.1"
    scheme: bytes = b""
    authority: bytes = b""
    accepts_trailers: bool = False
    """To be sent: the next hop may answer with trailers (``TE: trailers``), where the version says so."""
    websocket: bool = False
    """To be sent: it asks for a WebSocket, for which HTTP/2 has a head of its own. RFC 8441."""


@dataclass(slots=True)
class ResponseHead:
    """A final status line and headers (status 200 to 999, and 101)."""

    status: int
    headers: RawHeaders
    reason: bytes = b""
    version: bytes = b"HTTP/1.1"


@dataclass(slots=True)
class Informational:
    """A 1xx answer other than 101: more follows. RFC 9110 section 15.2."""

    status: int
    headers: RawHeaders
    reason: bytes = b""
    version: bytes = b"HTTP/1.1"


@dataclass(slots=True)
class Data:
    """Part of a body, framing removed; never empty."""

    data: bytes


@dataclass(slots=True)
class Trailers:
    """Header fields after the body. RFC 9110 section 6.5."""

    headers: RawHeaders


@dataclass(slots=True)
class End:
    """The message is complete."""


@dataclass(slots=True)
class Reset:
    """The message will never be complete. *code* is an HTTP/2 error code where the wire had one."""

    reason: str
    code: int | None = None


Event = RequestHead | ResponseHead | Informational | Data | Trailers | End | Reset
END = End()
