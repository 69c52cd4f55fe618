"""``mitmproxy.addons.export``: a request as a command, messages as bytes."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from proxyfw.alias import names_of
from proxyfw.alias.net.http.http1 import assemble_request, assemble_response
from proxyfw.exceptions import CommandError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow, Request, Response
from proxyfw.redaction import redacted

_HOP_BY_HOP = ("connection", "proxy-connection", "transfer-encoding", "content-length", ":authority")


def cleanup_request(f: Flow) -> Request:
    """A copy of the request, its body decoded. Raises CommandError if there is none."""
    if not isinstance(f, HTTPFlow):
        raise CommandError("Can't export flow with no request.")
    request = redacted(f).request.copy()
    request.decode(strict=False)
    return request


def cleanup_response(f: Flow) -> Response:
    """A copy of the response, its body decoded. Raises CommandError if there is none."""
    if not isinstance(f, HTTPFlow) or f.response is None:
        raise CommandError("Can't export flow with no response.")
    response = redacted(f).response
    assert response is not None  # what is taken out is a part of it, never the whole
    response = response.copy()
    response.decode(strict=False)
    return response


def pop_headers(request: Request) -> Request:
    """*request* without the fields that the client program writes itself."""
    for name in _HOP_BY_HOP:
        request.headers.pop(name, None)
    if request.headers.get("host") == request.host:
        request.headers.pop("host")
    return request


def request_content_for_console(request: Request) -> str:
    """The body as text. Raises CommandError for one that is none."""
    try:
        text = request.get_text(strict=True)
    except ValueError:
        raise CommandError("Request content must be valid unicode") from None
    return text or ""


def curl_command(f: Flow) -> str:
    """The request as a command of curl."""
    request = pop_headers(cleanup_request(f))
    words = ["curl"]
    for name, value in request.headers.items(multi=True):
        words += ["--compressed"] if name.lower() == "accept-encoding" else ["-H", f"{name}: {value}"]
    if request.method != "GET":
        words += ["-X", request.method]
    words.append(request.pretty_url)
    if request.raw_content:
        words += ["-d", request_content_for_console(request)]
    return shlex.join(words)


def httpie_command(f: Flow) -> str:
    """The request as a command of HTTPie."""
    request = pop_headers(cleanup_request(f))
    words = ["http", request.method, request.pretty_url]
    words += [f"{name}: {value}" for name, value in request.headers.items(multi=True)]
    command = shlex.join(words)
    if request.raw_content:
        command += f" <<< {shlex.quote(request_content_for_console(request))}"
    return command


def raw_request(f: Flow) -> bytes:
    """The request as the bytes of HTTP/1. Raises CommandError if its body is not available."""
    request = cleanup_request(f)
    if request.raw_content is None:
        raise CommandError("Request content missing.")
    if request.method != "CONNECT":
        request.authority = ""
    return assemble_request(request)


def raw_response(f: Flow) -> bytes:
    """The response as the bytes of HTTP/1. Raises CommandError if its body is not available."""
    response = cleanup_response(f)
    if response.raw_content is None:
        raise CommandError("Response content missing.")
    return assemble_response(response)


def raw(f: Flow, separator: bytes = b"\r\n\r\n") -> bytes:
    """Both, as far as there are both. Raises CommandError if there is neither."""
    if isinstance(f, HTTPFlow) and f.response is not None and f.response.raw_content is not None:
        return raw_request(f) + separator + raw_response(f)
    return raw_request(f)


formats: dict[str, Callable[[Flow], str | bytes]] = {
    "curl": curl_command,
    "httpie": httpie_command,
    "raw": raw,
    "raw_request": raw_request,
    "raw_response": raw_response,
}

__getattr__ = names_of("addons.export")
