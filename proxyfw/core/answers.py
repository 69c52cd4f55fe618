"""What the proxy itself says to a client when there is nobody else to say it."""

from __future__ import annotations

from http import HTTPStatus

from proxyfw.http import Headers
from proxyfw.protocol.events import END, Data, Event, ResponseHead

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1><p>{message}</p><hr><p>proxyfw</p></body></html>
"""


def error_answer(status: int, message: str, request_headers: Headers | None = None) -> list[Event]:
    """A complete answer that names the reason; a page for those who ask for HTML, else plain text."""
    title = f"{status} {reason_of(status)}"
    if request_headers is not None and "text/html" in request_headers.get("accept", ""):
        from html import escape  # knows all entities by name

        kind, text = b"text/html", _PAGE.format(title=escape(title), message=escape(message))
    else:
        kind, text = b"text/plain", f"{title}\n{message}\n"
    body = text.encode("utf-8", "replace")
    fields = [
        (b"Content-Type", kind + b"; charset=utf-8"),
        (b"Content-Length", b"%d" % len(body)),
        (b"X-Content-Type-Options", b"nosniff"),
        (b"Connection", b"close"),
    ]
    return [ResponseHead(status, fields, reason_of(status).encode()), Data(body), END]


def reason_of(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
