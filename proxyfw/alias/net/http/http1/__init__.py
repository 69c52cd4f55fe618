"""``mitmproxy.net.http.http1``: messages as the bytes of HTTP/1, and heads out of their lines. RFC 9112."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from proxyfw.alias import names_of
from proxyfw.http import Headers, Request, Response
from proxyfw.model import url

__all__ = [
    "assemble_body", "assemble_request", "assemble_request_head", "assemble_response",
    "assemble_response_head", "connection_close", "expected_http_body_size", "read_request_head",
    "read_response_head",
]  # fmt: skip


def assemble_request(request: Request) -> bytes:
    """Head and body. Raises ValueError if the body is not available."""
    return assemble_request_head(request) + b"".join(_body(request))


def assemble_response(response: Response) -> bytes:
    """Head and body. Raises ValueError if the body is not available."""
    return assemble_response_head(response) + b"".join(_body(response))


def assemble_request_head(request: Request) -> bytes:
    """The request line and the fields, up to the blank line."""
    if request.method_bytes == b"CONNECT":
        target = request.authority_bytes
    elif request.authority_bytes and not request.is_http2:
        target = b"%s://%s%s" % (request.scheme_bytes, request.authority_bytes, request.path_bytes)
    else:
        target = request.path_bytes
    line = b"%s %s %s\r\n" % (request.method_bytes, target, request.version_bytes)
    fields = request.headers.copy()
    if request.authority_bytes and "host" not in fields:
        fields.insert(0, "Host", request.authority_bytes)
    return line + bytes(fields) + b"\r\n"


def assemble_response_head(response: Response) -> bytes:
    """The status line and the fields, up to the blank line."""
    line = b"%s %d %s\r\n" % (response.version_bytes, response.status_code, response.reason_bytes)
    return line + bytes(response.headers) + b"\r\n"


def assemble_body(
    headers: Headers, body_chunks: Iterable[bytes], trailers: Headers | None = None
) -> Iterator[bytes]:
    """The body in pieces, framed as the *headers* say."""
    if "chunked" not in headers.get("transfer-encoding", "").lower():
        yield from filter(None, body_chunks)
        return
    for chunk in filter(None, body_chunks):
        yield b"%x\r\n%s\r\n" % (len(chunk), chunk)
    yield b"0\r\n" + bytes(trailers or b"") + b"\r\n"


def read_request_head(lines: list[bytes]) -> Request:
    """A request from its request line and field lines. Raises ValueError."""
    try:
        method, target, version = lines[0].split()
    except (IndexError, ValueError):
        raise ValueError(f"Bad HTTP request line: {lines[0] if lines else b''!r}") from None
    if b"://" in target:
        scheme, host, port, path = url.parse(target)
        authority = url.host_and_port(scheme, host, port)
    elif method == b"CONNECT":
        scheme, path, authority = "", "", target.decode()
        host, port = url.parse_authority(authority)[0], url.parse_authority(authority)[1] or 443
    else:
        scheme, host, port, path, authority = "", "", 0, target.decode("utf-8", "surrogateescape"), ""
    return Request(
        host, port, method, scheme.encode(), authority.encode(), path.encode("utf-8", "surrogateescape"),
        version, _fields(lines[1:]), None, None, 0.0, None,
    )  # fmt: skip


def read_response_head(lines: list[bytes]) -> Response:
    """A response from its status line and field lines. Raises ValueError."""
    try:
        version, status, *reason = lines[0].split(None, 2)
        return Response(
            version, int(status), b"".join(reason).strip(), _fields(lines[1:]), None, None, 0.0, None
        )
    except (IndexError, ValueError):
        raise ValueError(f"Bad HTTP response line: {lines[0] if lines else b''!r}") from None


def expected_http_body_size(request: Request, response: Response | None = None) -> int | None:
    """The length of a body: -1 if only the end of the connection says it, None if it is chunked."""
    headers = response.headers if response else request.headers
    status = response.status_code if response else 0
    if response and (request.method_bytes == b"HEAD" or 100 <= status < 200 or status in (204, 304)):
        return 0
    if "transfer-encoding" in headers:
        return None
    if "content-length" in headers:
        return int(headers["content-length"])
    return -1 if response else 0


def connection_close(http_version: bytes, headers: Headers) -> bool:
    """Whether the connection ends after the message."""
    tokens = {token.strip().lower() for token in headers.get("connection", "").split(",")}
    if tokens & {"close", "keep-alive"}:
        return "close" in tokens
    return http_version not in (b"HTTP/1.1", b"HTTP/2.0", "HTTP/1.1", "HTTP/2.0")


def _body(message: Request | Response) -> Iterator[bytes]:
    if message.raw_content is None:
        raise ValueError("cannot assemble a message whose content is missing")
    return assemble_body(message.headers, [message.raw_content], message.trailers)


def _fields(lines: list[bytes]) -> Headers:
    pairs = (line.partition(b":") for line in lines if line.strip())
    return Headers((name.strip(), value.strip()) for name, _, value in pairs)


__getattr__ = names_of("net.http.http1")
