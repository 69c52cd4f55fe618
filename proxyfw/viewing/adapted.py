"""Views in the older style, and things that only look like views, made `Contentview`s."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from proxyfw.exceptions import AddonError
from proxyfw.viewing.interface import LIMIT, Contentview, Metadata, TViewLine

MOST_LINES = 100_000
"""Lines that are taken from a `View`, which may give them one by one for ever."""


def adapted(view: Any) -> Contentview:
    """*view*, or an instance of that class, as a `Contentview`. Raises AddonError for what is none."""
    if isinstance(view, type):
        try:
            view = view()
        except TypeError as problem:
            raise AddonError(f"content view {view.__name__} cannot be made: {problem}") from problem
    if isinstance(view, Contentview):
        return view
    if callable(getattr(view, "prettify", None)):
        return _Like(view)
    if callable(view):
        return _OldView(view)
    raise AddonError(f"{view!r} is no content view: it needs prettify(self, data, metadata)")


class _Like(Contentview):
    """What has the methods of a `Contentview` without being one."""

    def __init__(self, view: Any) -> None:
        self.view = view
        self.name = getattr(view, "name", "") or type(view).__name__.lower()
        self.syntax_highlight = getattr(view, "syntax_highlight", "none")
        self.limit = getattr(view, "limit", LIMIT)

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        text: str = self.view.prettify(data, metadata)
        return text

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        return float(self.view.render_priority(data, metadata))


class _OldView(Contentview):
    """A `View`, or anything like it, as a `Contentview`."""

    def __init__(self, view: Any) -> None:
        self.view = view
        self.name = getattr(view, "name", "")

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        result = self.view(data, **_as_keywords(metadata))
        if result is None:
            raise ValueError("it has nothing to show")
        lines = islice(result[1], MOST_LINES)
        return "\n".join("".join(_text(text) for _, text in line) for line in lines)

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        function = getattr(self.view, "render_priority", None)
        if function is None:
            return float(metadata.content_type in getattr(self.view, "content_types", ()))
        return float(function(data, **_as_keywords(metadata)))


def _as_keywords(metadata: Metadata) -> dict[str, Any]:
    return {
        "content_type": metadata.content_type,
        "flow": metadata.flow,
        "http_message": metadata.http_message,
    }


def _text(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("utf-8", "backslashreplace")


# For views in the older style


def format_text(text: str | bytes) -> Iterator[TViewLine]:
    """*text* as lines of (style, text)."""
    for line in _text(text).splitlines():
        yield [("text", line)]


def format_pairs(items: Iterable[tuple[str | bytes, str | bytes]]) -> Iterator[TViewLine]:
    """Names and values as lines of (style, text), the values one below the other."""
    pairs = [(f"{_text(name)}:", _text(value)) for name, value in items]
    width = max((len(name) for name, _ in pairs if len(name) < 30), default=0)
    for name, value in pairs:
        yield [("header", f"{name:{width}} "), ("text", value)]


def format_dict(items: Mapping[str, str]) -> Iterator[TViewLine]:
    """A mapping as `format_pairs` shows it."""
    return format_pairs(items.items())
