"""A script for PowerShell 7, which knows many quotes: text that is not plain ASCII is written in base64."""

from __future__ import annotations

import base64

from .sent import Sent


def snippet(sent: Sent) -> str:
    """The script."""
    fields = [f"  {literal(name.encode())} = {literal(value)}\n" for name, value in sent.joined]
    words = [
        "Invoke-WebRequest", f"-CustomMethod {literal(sent.method.encode())}",
        f"-Uri {literal(sent.url.encode())}", "-Headers $headers", "-SkipHeaderValidation",
        "-SkipHttpErrorCheck", "-MaximumRedirection 0",
    ]  # fmt: skip
    if sent.lacks("user-agent"):
        words.append("-UserAgent ''")
    body = ""
    if sent.body:
        body = f"$body = [Convert]::FromBase64String('{base64.b64encode(sent.body).decode()}')\n"
        if _is_plain(sent.body):
            body = f"$body = {literal(sent.body)}\n"
        words.append("-Body $body")
    return f"$headers = @{{\n{''.join(fields)}}}\n{body}{' '.join(words)}\n"


def literal(data: bytes) -> str:
    """An expression whose value is *data* read as Latin-1, which is how fields are sent."""
    if _is_plain(data):
        return "'" + data.decode("ascii").replace("'", "''") + "'"
    encoded = base64.b64encode(data).decode()
    return f"([Text.Encoding]::Latin1.GetString([Convert]::FromBase64String('{encoded}')))"


def _is_plain(data: bytes) -> bool:
    return data.isascii() and data.decode("ascii").isprintable()
