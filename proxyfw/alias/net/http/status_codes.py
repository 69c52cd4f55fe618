"""``mitmproxy.net.http.status_codes``: ``NOT_FOUND`` is 404; `RESPONSES` has the phrases."""

from __future__ import annotations

from http import HTTPStatus

from proxyfw.alias import names_of
from proxyfw.model.status import REASONS as RESPONSES

__all__ = ["RESPONSES"]

_OTHER_NAMES = {
    "SWITCHING": 101, "MULTIPLE_CHOICE": 300, "NOT_ALLOWED": 405, "PROXY_AUTH_REQUIRED": 407,
    "PAYLOAD_TOO_LARGE": 413, "REQUEST_URI_TOO_LONG": 414, "REQUESTED_RANGE_NOT_SATISFIABLE": 416,
    "UNPROCESSABLE_CONTENT": 422, "NO_RESPONSE": 444, "CLIENT_CLOSED_REQUEST": 499,
    "INSUFFICIENT_STORAGE_SPACE": 507,
}  # fmt: skip

globals().update({status.name: status.value for status in HTTPStatus}, **_OTHER_NAMES)

__getattr__ = names_of("net.http.status_codes")
