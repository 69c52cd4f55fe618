"""The formats there are, and how one is chosen; secrets are taken out here, before any format sees a flow."""

from __future__ import annotations

from importlib import import_module

from proxyfw.exceptions import CommandError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.redaction import redacted

from . import raw
from .sent import Sent

_MESSAGES = {"raw": raw.both, "raw_request": raw.request, "raw_response": raw.response}
_CLIENTS = (
    "curl", "httpie", "python_httpx", "python_requests", "node_fetch", "go", "php", "rust_reqwest",
    "powershell",
)  # fmt: skip
"""Each is a module of this folder, whose function ``snippet`` writes it."""

FORMATS = (*_CLIENTS, *_MESSAGES)


def written(format: str, flow: Flow, keep_address: bool = False) -> bytes:
    """*flow* in a format. Raises CommandError if it cannot be written so; the message says why.

    *keep_address*: curl goes where the request went, whatever its name leads to by then.
    """
    if not isinstance(flow, HTTPFlow):
        raise CommandError(f"flow {flow.id} is of type {flow.type}: only HTTP is exported")
    flow = redacted(flow)
    if format in _MESSAGES:
        return _MESSAGES[format](flow)
    if format not in _CLIENTS:
        raise CommandError(f"there is no format {format!r}; there are {', '.join(FORMATS)}")
    sent = Sent.of(flow, keep_address)
    text: str = import_module(f".{format}", __package__).snippet(sent)
    return text.encode()
