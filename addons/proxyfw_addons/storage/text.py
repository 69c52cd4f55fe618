"""Text that databases keep, and the text of a flow that is searched for words."""

from __future__ import annotations

from collections.abc import Iterator

from proxyfw.dns import DNSFlow
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow, Message
from proxyfw.tcp import TCPFlow
from proxyfw.udp import UDPFlow

LIMIT = 1 << 16
"""Characters of each body that are searched."""

_TEXTUAL = ("text/", "json", "xml", "javascript", "urlencoded", "graphql", "yaml", "csv")


def storable(text: str) -> str:
    """*text* without what databases refuse: half characters, NUL."""
    if text.isascii() and "\0" not in text:
        return text
    clean = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return clean.replace("\0", "\ufffd")


def searchable(flow: Flow, url: str | None = None) -> str:
    """URL, values of header fields, decoded text bodies and messages of *flow*; *url* if it is known."""
    return storable("\n".join(_parts(flow, url)))


def _parts(flow: Flow, url: str | None) -> Iterator[str]:
    if isinstance(flow, HTTPFlow):
        yield url or flow.request.pretty_url
        for message in (flow.request, flow.response):
            if message is not None:
                values = b"\n".join([value for _, value in message.headers.fields])
                yield values.decode("utf-8", "replace")
                yield _body(message)
        if flow.websocket is not None:
            for sent in flow.websocket.messages:
                yield _chunk(sent.content)
    elif isinstance(flow, DNSFlow):
        for answer in (flow.request, flow.response):
            if answer is not None:
                yield " ".join(question.name for question in answer.questions)
                yield " ".join(f"{record.name} {record}" for record in answer.answers)
    elif isinstance(flow, (TCPFlow, UDPFlow)):
        for chunk in flow.messages:
            yield _chunk(chunk.content)


def _body(message: Message) -> str:
    raw = message.raw_content
    if not raw:
        return ""
    kind = message.headers.get("content-type", "")
    if kind and not any(part in kind.lower() for part in _TEXTUAL):
        return ""
    if not kind or "content-encoding" not in message.headers:
        return _chunk(raw) if raw.isascii() or not kind else _text(message)
    return _text(message)


def _text(message: Message) -> str:
    return (message.get_text(strict=False) or "")[:LIMIT]


def _chunk(data: bytes) -> str:
    """*data* if it is text."""
    try:
        return data[:LIMIT].decode()
    except UnicodeDecodeError as problem:
        return data[: problem.start].decode() if problem.start > LIMIT - 4 else ""
