"""``raw``, ``raw_request`` and ``raw_response``: messages as the bytes of HTTP/1. RFC 9112."""

from __future__ import annotations

from proxyfw.exceptions import CommandError
from proxyfw.http import HTTPFlow, Message

Field = tuple[bytes, bytes]


def request(flow: HTTPFlow) -> bytes:
    """The request; one of HTTP/2 as HTTP/1.1 has it. Raises CommandError if its body was not kept."""
    message = flow.request
    version = b"HTTP/1.1" if message.is_http2 or message.is_http3 else message.version_bytes
    fields = _framed(message, bool(message.raw_content))
    if "host" not in message.headers and message.host_header:
        fields.insert(0, (b"Host", message.host_header.encode("utf-8", "surrogateescape")))
    target = message.authority_bytes if message.method_bytes == b"CONNECT" else message.path_bytes
    return _assembled(b" ".join([message.method_bytes, target, version]), fields, _body(flow, message))


def response(flow: HTTPFlow) -> bytes:
    """The response. Raises CommandError if there is none, or its body was not kept."""
    message = flow.response
    if message is None:
        raise CommandError(f"flow {flow.id} has no response")
    version = b"HTTP/1.1" if message.is_http2 or message.is_http3 else message.version_bytes
    empty = flow.request.method_bytes == b"HEAD" or message.status_code in (204, 304)
    first = b"%s %d %s" % (version, message.status_code, message.reason_bytes)
    return _assembled(first, _framed(message, not empty), _body(flow, message))


def both(flow: HTTPFlow) -> bytes:
    """The request, and the response if there is one, an empty line between them."""
    asked = request(flow)
    return asked if flow.response is None else asked + b"\r\n\r\n" + response(flow)


def _framed(message: Message, has_body: bool) -> list[Field]:
    """The fields, with the length of what is written: chunks are joined when they are recorded."""
    fields = [field for field in message.headers.fields if field[0].lower() != b"transfer-encoding"]
    if not has_body:
        return fields
    length = b"%d" % len(message.raw_content or b"")
    for number, (name, _) in enumerate(fields):
        if name.lower() == b"content-length":
            fields[number] = (name, length)
            return fields
    return [*fields, (b"Content-Length", length)]


def _body(flow: HTTPFlow, message: Message) -> bytes:
    if message.raw_content is None or message.truncated:
        raise CommandError(f"flow {flow.id}: its body was not kept, or not all of it")
    return message.raw_content


def _assembled(first: bytes, fields: list[Field], body: bytes) -> bytes:
    lines = [first, *(name + b": " + value for name, value in fields)]
    return b"\r\n".join([*lines, b"", body])
