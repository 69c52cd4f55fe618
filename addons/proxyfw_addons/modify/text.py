"""Bodies as text: read in the right charset and written back in it: what is not edited keeps its bytes.

Content-Encoding and Content-Length are looked after by the message.
"""

from __future__ import annotations

from collections.abc import Callable

from proxyfw.http import Message


def edit_text(message: Message, edit: Callable[[str], str]) -> None:
    """Put what *edit* makes of the body in its place. Bytes that are no text come back as they were.

    Raises ValueError if the body cannot be decoded.
    """
    content = message.get_content() or b""
    if _is_unsaid_utf8(message, content):
        message.content = edit(content.decode()).encode()
        return
    try:
        text = message.get_text() or ""
    except ValueError:  # not in the charset it declares
        text = content.decode("utf-8", "surrogateescape")
        message.content = edit(text).encode("utf-8", "surrogateescape")
    else:
        message.text = edit(text)


def write_text(message: Message, text: str) -> None:
    """Make *text* the body: in the charset the message declares, else in UTF-8, which it then declares."""
    declared = message.headers.get("content-type", "")
    if text.isascii() or "charset=" in declared.lower():
        message.text = text
        return
    message.content = text.encode()
    if "json" not in declared:
        message.headers["content-type"] = f"{declared or 'text/plain'}; charset=utf-8"


def _is_unsaid_utf8(message: Message, content: bytes) -> bool:
    """Without a charset text counts as latin-1, but most of what comes without one is UTF-8."""
    if content.isascii() or "charset=" in message.headers.get("content-type", "").lower():
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
