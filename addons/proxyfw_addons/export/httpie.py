"""A command of HTTPie 3, for POSIX shells."""

from __future__ import annotations

import re
import shlex

from proxyfw.exceptions import CommandError

from .sent import Sent
from .shell import piped

_LOST = re.compile(r"\\[:;=@]")
"""HTTPie takes the backslash for its own."""


def snippet(sent: Sent) -> str:
    """The command. Raises CommandError for what HTTPie cannot be told."""
    if not (sent.method.isascii() and sent.method.isalpha()):
        raise CommandError(f"HTTPie does not know the method {sent.method!r}: choose another format")
    source = piped(sent)
    switches = [] if source else ["--ignore-stdin"]
    if not sent.plain:
        switches.append("--path-as-is")
    if sent.body and source is None:
        switches += ["--raw", shlex.quote(sent.text or "")]
    words = " ".join(["http", *switches, sent.method, shlex.quote(sent.url)])
    return (source or "") + " \\\n  ".join([words, *_items(sent)]) + "\n"


def _items(sent: Sent) -> list[str]:
    items = [shlex.quote(_item(name, value)) for name, value in sent.all_fields]
    unwanted = ["User-Agent", "Accept", "Accept-Encoding", *(["Content-Type"] if sent.body else [])]
    return items + [f"{name}:" for name in unwanted if sent.lacks(name.lower())]


def _item(name: str, value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = "\0"
    if not text.isprintable() or _LOST.search(text) or "\\" in name or name[0] == "-":
        raise CommandError(f"HTTPie cannot send the field {name}: {value!r}: choose another format")
    return f"{name}: {text}" if text else f"{name};"
