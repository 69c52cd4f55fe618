"""A command of curl, for POSIX shells."""

from __future__ import annotations

import shlex

from proxyfw.exceptions import CommandError

from .sent import Sent
from .shell import piped, word


def snippet(sent: Sent) -> str:
    """The command. Raises CommandError for HEAD with a body."""
    if sent.method == "HEAD" and sent.body:
        raise CommandError("curl cannot send HEAD with a body: choose another format")
    source = piped(sent)
    lines = ["curl " + " ".join([*_switches(sent), shlex.quote(sent.url)])]
    lines += [f"-H {word(line)}" for line in field_lines(sent)]
    if source is not None:
        lines.append("--data-binary @-")
    elif sent.body is not None and sent.method != "HEAD":
        lines.append(f"--data-raw {shlex.quote(sent.text or '')}")
    return (source or "") + " \\\n  ".join(lines) + "\n"


def field_lines(sent: Sent) -> list[bytes]:
    """The lines that libcurl is given: ``Name: value``, ``Name;`` for an empty value, ``Name:`` for none."""
    lines = [name.encode() + (b": " + value if value else b";") for name, value in sent.all_fields]
    unwanted = ["User-Agent", "Accept", *(["Content-Type", "Expect"] if sent.body is not None else [])]
    return lines + [f"{name}:".encode() for name in unwanted if sent.lacks(name.lower())]


def _switches(sent: Sent) -> list[str]:
    switches = []
    if sent.method == "HEAD":
        switches.append("--head")
    elif sent.method != ("GET" if sent.body is None else "POST"):
        switches += ["-X", shlex.quote(sent.method)]
    if sent.version == "HTTP/1.0":
        switches.append("--http1.0")
    elif sent.version == "HTTP/1.1" and sent.url.startswith("https:"):
        switches.append("--http1.1")
    if not sent.plain:
        switches += ["--globoff", "--request-target", shlex.quote(sent.target)]
    if not sent.lacks("accept-encoding"):
        switches.append("--compressed")
    return switches + _resolve(sent)


def _resolve(sent: Sent) -> list[str]:
    if sent.address is None:
        return []
    scheme, _, rest = sent.url.partition("://")
    authority = rest.partition("/")[0]
    name, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        name, port = authority, {"http": "80", "https": "443"}[scheme]
    return ["--resolve", shlex.quote(f"{name}:{port}:{sent.address}")]
