"""A Python program with httpx; it sends fields in order, in the case they have, and no other."""

from __future__ import annotations

from .sent import Sent


def snippet(sent: Sent) -> str:
    """The program."""
    fields = [f"        ({name.encode()!r}, {value!r}),\n" for name, value in sent.all_fields]
    parts = [f"    {sent.method!r},\n", f"    {sent.url!r},\n"]
    parts += ["    headers=[\n", *fields, "    ],\n"]
    if sent.body is not None:
        parts.append(f"    content={literal(sent)},\n")
    if not sent.plain:
        parts.append(f'    extensions={{"target": {sent.target.encode()!r}}},\n')
    return (
        f"import httpx\n\nrequest = httpx.Request(\n{''.join(parts)})\n"
        "with httpx.Client() as client:\n    response = client.send(request)\n"
        "print(response.status_code, response.headers)\nprint(response.text)\n"
    )


def literal(sent: Sent) -> str:
    """The body as an expression of Python."""
    body = sent.body or b""
    return repr(body) if sent.text is None or body.isascii() else f"{sent.text!r}.encode()"
