"""A program in PHP with its curl extension."""

from __future__ import annotations

from proxyfw.exceptions import CommandError

from .bytewise import quoted
from .curl import field_lines
from .sent import Sent


def snippet(sent: Sent) -> str:
    """The program. Raises CommandError for HEAD with a body."""
    if sent.method == "HEAD" and sent.body:
        raise CommandError("PHP's curl cannot send HEAD with a body: choose another format")
    fields = [f"        {literal(line)},\n" for line in field_lines(sent)]
    lines = [f"    CURLOPT_URL => {literal(sent.url.encode())},\n"]
    if sent.method == "HEAD":
        lines.append("    CURLOPT_NOBODY => true,\n")
    else:
        lines.append(f"    CURLOPT_CUSTOMREQUEST => {literal(sent.method.encode())},\n")
        if sent.body is not None:
            lines.append(f"    CURLOPT_POSTFIELDS => {literal(sent.body)},\n")
    if not sent.plain:
        lines.append(f"    CURLOPT_REQUEST_TARGET => {literal(sent.target.encode())},\n")
    lines += ["    CURLOPT_HTTPHEADER => [\n", *fields, "    ],\n", "    CURLOPT_RETURNTRANSFER => true,\n"]
    return (
        f"<?php\n$request = curl_init();\ncurl_setopt_array($request, [\n{''.join(lines)}]);\n"
        "$body = curl_exec($request);\n"
        "if ($body === false) {\n    exit(curl_error($request) . PHP_EOL);\n}\n"
        "echo curl_getinfo($request, CURLINFO_RESPONSE_CODE), PHP_EOL, $body, PHP_EOL;\n"
    )


def literal(data: bytes) -> str:
    """*data* in double quotes, where PHP puts variables in, too."""
    return quoted(data).replace("$", "\\$")
