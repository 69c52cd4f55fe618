"""The lines of a body: laid out by the content view that suits it, cut unless it is wanted whole."""

from __future__ import annotations

import sys
from typing import NamedTuple

from proxyfw.contentviews import AnyMessage, ContentviewRegistry, ContentviewResult
from proxyfw.flow import Flow
from proxyfw.options import format_size

LINE_WIDTH = 80
"""A body of very long lines is cut at so many characters a line on average."""
DUMP_LINES = 32
"""Lines of a hex dump that are shown unless it is wanted whole."""
WHOLE = sys.maxsize


class Bodies(NamedTuple):
    """How bodies are shown: at most about *limit* lines of each, by the view of that name."""

    views: ContentviewRegistry
    limit: int = WHOLE
    view: str = "auto"

    def lines(self, message: AnyMessage, flow: Flow | None = None) -> list[str]:
        """What *message* carries, and in parentheses what is to be said about it."""
        wanted = None if self.limit == WHOLE else self.limit
        result = self.views.prettify_message(message, flow, self.view, lines=wanted)
        lines = [f"({result.description})"] if result.description else []
        if result.text:
            lines += self._cut(result)
        if result.size and getattr(message, "truncated", False):
            lines.append("(the record of this body ends here, not what was sent)")
        return lines

    def _cut(self, result: ContentviewResult) -> list[str]:
        is_dump = result.view_name == "hex"
        limit = min(self.limit, DUMP_LINES) if is_dump and self.limit != WHOLE else self.limit
        start = result.text[: limit * LINE_WIDTH]
        lines = start.removesuffix("\n").split("\n")
        is_whole = len(lines) <= limit and len(start) == len(result.text)
        if is_whole and not (is_dump and result.size > limit * 16):
            return lines
        whole = format_size(result.size)
        return [*lines[:limit], f"(cut here: the whole is {whole}, flow_detail 4 shows it)"]
