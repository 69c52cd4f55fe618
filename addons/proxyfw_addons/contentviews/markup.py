"""View ``html``: HTML and XML, an element a line. Nothing is repaired, added or left out but white space."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from proxyfw.contentviews import Metadata

from .lines import Lines

# Possessive throughout: a failed match costs one look at the rest, and then the rest is text.
_TAG = re.compile(r"""</?+([A-Za-z][^\s/>"'<]*+)(?:[^>"']++|"[^"]*+"|'[^']*+')*+>""")
_VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    ]  # WHATWG HTML 13.1.2
)
_VERBATIM = {name: re.compile(f"</{name}", re.IGNORECASE) for name in ("script", "style", "textarea", "pre")}
_SPECIAL = (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"), ("<!", ">"))
_SHORT = 80
Token = tuple[str, str, str]
"""Its kind (open, close, alone, text), the name of the element, its text."""


def prettify(data: bytes, metadata: Metadata) -> str:
    """The document; what looks like no markup is text."""
    return _laid_out(list(_tokens(metadata.decode(data))))


def _tokens(text: str) -> Iterator[Token]:
    position = 0
    while position < len(text):
        start = text.find("<", position)
        if start < 0:
            start = len(text)
        if start > position:
            yield "text", "", text[position:start]
        if start == len(text):
            return
        token = _token(text, start)
        yield token
        position = start + len(token[2])
        closing = _VERBATIM.get(token[1]) if token[0] == "open" else None
        if closing:
            end = closing.search(text, position)
            stop = end.start() if end else len(text)
            yield "text", "", text[position:stop]
            position = stop


def _token(text: str, start: int) -> Token:
    for opening, closing in _SPECIAL:
        if text.startswith(opening, start):
            end = text.find(closing, start + len(opening))
            return "alone", "", text[start : end + len(closing) if end >= 0 else len(text)]
    if not text[start + 1 : start + 3].removeprefix("/")[:1].isalpha():
        return "text", "", "<"
    match = _TAG.match(text, start)
    if match is None:
        return "text", "", text[start:]
    name, tag = match[1].lower(), match[0]
    if tag.startswith("</"):
        return "close", name, tag
    return "alone" if tag.endswith("/>") or name in _VOID else "open", name, tag


def _laid_out(tokens: list[Token]) -> str:
    lines = Lines()
    opened: list[str] = []
    count: Counter[str] = Counter()
    skip = 0
    for number, (kind, name, text) in enumerate(tokens):
        if skip:
            skip -= 1
            continue
        if kind == "text":
            _put_text(lines, text)
            continue
        if kind == "close":
            while count[name]:  # those inside it that were never closed, too
                last = opened.pop()
                count[last] -= 1
                if last == name:
                    break
        lines.depth = len(opened)
        lines.put(_on_one_line(text))
        if kind == "open":
            skip = _short(tokens, number)
            for _, _, more in tokens[number + 1 : number + 1 + skip]:
                lines.put(more.strip())
            if not skip:
                opened.append(name)
                count[name] += 1
        lines.end()
        lines.depth = len(opened)
    return lines.text()


def _short(tokens: list[Token], number: int) -> int:
    """How many tokens after an opening tag complete the element, if it fits on a line."""
    name = tokens[number][1]
    following = tokens[number + 1 : number + 3]
    if following and following[0][:2] == ("close", name):
        return 1
    if len(following) == 2 and following[0][0] == "text" and following[1][:2] == ("close", name):
        text = following[0][2].strip()
        return 2 if len(text) < _SHORT and "\n" not in text else 0
    return 0


def _put_text(lines: Lines, text: str) -> None:
    for line in text.split("\n"):
        if line.strip():
            lines.put(line.strip())
            lines.end()


def _on_one_line(tag: str) -> str:
    return " ".join(tag.split()) if "\n" in tag and not tag.startswith("<!--") else tag
