"""Query strings and URL-encoded forms as ``(name, value)`` pairs, and paths as components.

Untouched pairs keep their spelling when others are edited. WHATWG URL, application/x-www-form-urlencoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from proxyfw.model.pieces import respell

Pair = tuple[str, str]


def parse(text: str) -> list[Pair]:
    """The pairs of ``a=1&b=2``; a name without ``=`` has the value ``""``, empty pieces are skipped."""
    return [_read(piece) for piece in text.split("&") if piece]


def edit(text: str, pairs: Sequence[Pair]) -> str:
    """*text* changed to say *pairs*."""
    return "&".join(
        respell(filter(None, text.split("&")), _read, _write, [_text_pair(*pair) for pair in pairs])
    )


def split_target(target: str) -> tuple[str, str, str]:
    """A request target as path, query without ``?``, and the rest from ``#`` on."""
    target, mark, fragment = target.partition("#")
    path, _, query = target.partition("?")
    return path, query, mark + fragment


def components(path: str) -> tuple[str, ...]:
    """The parts between slashes, percent-decoded, without empty ones."""
    return tuple(unquote(part, errors="surrogateescape") for part in path.split("/") if part)


def from_components(parts: Iterable[str]) -> str:
    """A path of *parts*; a slash inside a part is escaped."""
    return "/" + "/".join(quote(part, safe="", errors="surrogateescape") for part in parts)


def _read(piece: str) -> Pair:
    name, _, value = piece.partition("=")
    return unquote_plus(name, errors="surrogateescape"), unquote_plus(value, errors="surrogateescape")


def _write(pair: Pair) -> str:
    name, value = pair
    return f"{quote_plus(name, errors='surrogateescape')}={quote_plus(value, errors='surrogateescape')}"


def _text_pair(name: str, value: str) -> Pair:
    if not isinstance(name, str) or not isinstance(value, str):
        raise TypeError(f"query and form fields are pairs of str, not ({name!r}, {value!r})")
    return name, value
