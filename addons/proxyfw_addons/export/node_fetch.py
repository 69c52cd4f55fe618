"""A module for Node with fetch, which writes names in lower case and adds fields of its own."""

from __future__ import annotations

import base64
import json

from proxyfw.exceptions import CommandError

from .sent import Sent


def snippet(sent: Sent) -> str:
    """The module. Raises CommandError for what fetch refuses: some methods, bodies of GET and HEAD, Host."""
    if sent.host is not None:
        raise CommandError(f"fetch sends the host of {sent.url}, not {sent.host!r}: choose another format")
    refused = sent.method.upper() in ("CONNECT", "TRACE", "TRACK")
    if refused or (sent.body and sent.method in ("GET", "HEAD")):
        raise CommandError(
            f"fetch refuses {sent.method}{' with a body' * (not refused)}: choose another format"
        )
    fields = [
        f"    [{json.dumps(name)}, {json.dumps(value.decode('latin-1'))}],\n" for name, value in sent.fields
    ]
    parts = [f"  method: {json.dumps(sent.method)},\n", "  headers: [\n", *fields, "  ],\n"]
    if sent.body and sent.text is not None:
        parts.append(f"  body: Buffer.from({json.dumps(sent.text)}),\n")
    elif sent.body:
        encoded = base64.b64encode(sent.body).decode()
        parts.append(f'  body: Buffer.from("{encoded}", "base64"),\n')
    return (
        f"const response = await fetch({json.dumps(sent.url)}, {{\n{''.join(parts)}"
        '  redirect: "manual",\n});\n'
        "console.log(response.status, response.headers);\nconsole.log(await response.text());\n"
    )
