"""The lines below the line: headers and bodies, behind marks, so that no body passes for a line of ours."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from proxyfw.flow import Flow
from proxyfw.http import Headers, HTTPFlow, Message, Request, Response
from proxyfw.options import format_size
from proxyfw.tcp import TCPFlow
from proxyfw.udp import UDPFlow

from .look import count, escape

LINE_WIDTH = 80
"""A body of very long lines is cut at so many characters a line on average."""
DUMP_LINES = 32
"""Lines of a binary body that are shown unless it is wanted whole."""


def details(flow: Flow, bodies: int | None) -> Iterator[tuple[str, str]]:
    """Marks (``>`` to the server, ``<`` from it) and lines; of each body at most *bodies*, if not None."""
    if isinstance(flow, HTTPFlow):
        yield from _of_message(">", _request_line(flow.request), flow.request, bodies)
        if flow.response:
            yield "", ""
            yield from _of_message("<", _status_line(flow.response), flow.response, bodies)
        if flow.websocket and bodies is not None:
            messages = ((message.from_client, message.content) for message in flow.websocket.messages)
            yield from _of_messages(messages, bodies)
    elif isinstance(flow, TCPFlow | UDPFlow) and bodies is not None:
        yield from _of_messages(((chunk.from_client, chunk.content) for chunk in flow.messages), bodies)


def _of_message(mark: str, first: str, message: Message, bodies: int | None) -> Iterator[tuple[str, str]]:
    yield mark, first
    yield from ((mark, field) for field in _fields(message.headers))
    if bodies is not None:
        content = body(message, bodies)
        if content:
            yield mark, ""
        yield from ((mark, text) for text in content)
    if message.trailers:
        yield mark, ""
        yield from ((mark, field) for field in _fields(message.trailers))


def _of_messages(messages: Iterable[tuple[bool, bytes]], limit: int) -> Iterator[tuple[str, str]]:
    for from_client, content in messages:
        yield "", ""
        yield from ((">" if from_client else "<", text) for text in _lines(content, None, limit))


def _request_line(request: Request) -> str:
    target = request.authority if request.method_bytes == b"CONNECT" else request.path
    return escape(f"{request.method} {target} {request.http_version}")


def _status_line(response: Response) -> str:
    return escape(f"{response.http_version} {response.status_code} {response.reason}".rstrip())


def _fields(headers: Headers) -> Iterator[str]:
    for name, value in headers.fields:
        yield f"{_decoded(name)}: {_decoded(value)}"


def _decoded(data: bytes) -> str:
    return escape(data.decode("utf-8", "backslashreplace"))


def body(message: Message, limit: int) -> list[str]:
    """The body of *message* as at most about *limit* lines: as text if it is text, else as a hex dump."""
    content = message.get_content(strict=False)
    if content is None:
        return ["(streamed, not kept)"]
    lines = _lines(content, message.get_text(strict=False), limit) if content else []
    if message.truncated:
        lines.append("(the record of this body ends here, not what was sent)")
    return lines


def _lines(content: bytes, text: str | None, limit: int) -> list[str]:
    if text is None:
        text = content.decode("utf-8", "surrogateescape")
    if _is_binary(text):
        return _hex_dump(content, limit if limit == sys.maxsize else min(limit, DUMP_LINES))
    start = text[: limit * LINE_WIDTH]
    lines = start.replace("\r\n", "\n").removesuffix("\n").split("\n")
    kept = [_body_line(line) for line in lines[:limit]]
    if len(lines) > limit or len(start) < len(text):
        kept.append(f"(cut here: the whole is {count(len(text), 'character')}, flow_detail 4 shows it)")
    return kept


def _body_line(text: str) -> str:
    return text if text.isprintable() else "\t".join(escape(part) for part in text.split("\t"))


def _is_binary(text: str) -> bool:
    start = text[:1024]
    strange = sum(not char.isprintable() and char not in "\t\r\n" for char in start)
    return "\0" in start or strange * 10 > len(start)


def _hex_dump(content: bytes, limit: int) -> list[str]:
    rows = range(0, min(len(content), limit * 16), 16)
    lines = [_hex_row(offset, content[offset : offset + 16]) for offset in rows]
    if len(content) > limit * 16:
        lines.append(f"(cut here: the whole is {format_size(len(content))}, flow_detail 4 shows it)")
    return lines


def _hex_row(offset: int, data: bytes) -> str:
    readable = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)
    return f"{offset:08x}  {data.hex(' '):47}  {readable}"
