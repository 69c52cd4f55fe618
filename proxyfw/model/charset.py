"""Which character set a body is written in: said by its Content-Type, its first bytes, or itself.

It guesses as documented and never looks at more than the start of a body.
"""

from __future__ import annotations

import codecs
import re

_LOOK_AHEAD = 1024
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HTML = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?([\w:-]+)""", re.IGNORECASE)
_XML = re.compile(rb"""^\s*<\?xml[^>]+encoding\s*=\s*["']([\w:-]+)["']""", re.IGNORECASE)
_CSS = re.compile(rb"""^@charset "([\w:-]+)";""", re.IGNORECASE)
# Pages that claim the first set use characters that only its superset has. WHATWG Encoding, section 4.2.
_SUPERSETS = {"gb2312": "gb18030", "gbk": "gb18030"}


def parse_media_type(header: str) -> tuple[str, dict[str, str]]:
    """``text/html; charset="utf-8"`` as lower-case type and parameters. RFC 9110 section 8.3.1."""
    kind, *parameters = header.split(";")
    found: dict[str, str] = {}
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        if equals:
            found.setdefault(name.strip().lower(), value.strip().strip('"'))
    return kind.strip().lower(), found


def with_charset(header: str, charset: str) -> str:
    """The Content-Type *header* with its charset replaced by *charset*, other parameters untouched."""
    kept = [part for part in header.split(";") if part.partition("=")[0].strip().lower() != "charset"]
    return f"{';'.join(kept).strip() or 'text/plain'}; charset={charset}"


def guess(content_type: str, content: bytes = b"") -> str:
    """A codec name: declared charset, else byte order mark, else the format's own rule, else latin-1.

    The name may be one that Python does not know.
    """
    kind, parameters = parse_media_type(content_type)
    charset = (
        parameters.get("charset") or _marked(content) or _by_format(kind, content[:_LOOK_AHEAD]) or "latin-1"
    )
    return _SUPERSETS.get(charset.lower(), charset)


def encode(text: str, content_type: str, old: bytes) -> bytes | None:
    """*text* in the charset of the *old* content, so that `guess` finds it again; None if that cannot be."""
    for start in (old, text[:_LOOK_AHEAD].encode("utf-8", "replace")):
        name = guess(content_type, start)
        try:
            content = text.encode(name)
        except (LookupError, ValueError):
            continue
        if guess(content_type, content) == name:
            return content
    return None


def _marked(content: bytes) -> str | None:
    return next((charset for mark, charset in _BOMS if content.startswith(mark)), None)


def _by_format(kind: str, start: bytes) -> str | None:
    if "json" in kind:
        return "utf-8"
    for word, pattern in (("html", _HTML), ("xml", _XML), ("css", _CSS)):
        if word in kind and (match := pattern.search(start)):
            return match[1].decode("ascii")
    if kind == "application/x-www-form-urlencoded" or kind.endswith(("xml", "css")):
        return "utf-8"
    return None
