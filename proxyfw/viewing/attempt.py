"""One piece of data on its way through views: the best is chosen, run and watched; or it is shown raw."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from proxyfw.viewing.deadline import within
from proxyfw.viewing.interface import MOST_RAW, RAW, Contentview, Metadata, Raw, SyntaxHighlight
from proxyfw.viewing.safety import one_line, printable

TIME = 1.0
"""Seconds that a view has, unless it is `Contentview.trusted`."""

logger = logging.getLogger("proxyfw")


@dataclass(slots=True)
class Entry:
    """A view, as it was added by the addon *owner*; one that *gave_up* is not chosen any more."""

    view: Contentview
    name: str
    owner: str
    gave_up: bool = False


@dataclass(frozen=True, slots=True)
class ContentviewResult:
    """Data laid out by the view *view_name*, safe to print.

    *description* is ``""``, or says what is not as one may expect: that a view failed and why, that the data
    could not be decoded. *size* is that of the data, in bytes.
    """

    text: str
    syntax_highlight: SyntaxHighlight
    view_name: str
    description: str
    size: int


class Attempt:
    """One piece of data on its way through the views that may be used for it."""

    def __init__(self, data: bytes, metadata: Metadata) -> None:
        self._data = data
        self._metadata = metadata
        self._notes: list[str] = []
        self._current: Entry | None = None

    def note(self, text: str) -> None:
        self._notes.append(one_line(text))

    def run(self, candidates: list[Entry]) -> ContentviewResult:
        try:
            if all(entry.view.trusted for entry in candidates):
                return self._best(candidates)
            return within(TIME, lambda: self._best(candidates))
        except TimeoutError:
            self._give_up()
        except Exception as problem:
            self._failed(problem)
        return self._raw()

    def _best(self, candidates: list[Entry]) -> ContentviewResult:
        entry = candidates[0] if len(candidates) == 1 else self._chosen(candidates)
        self._current = entry
        if entry is None:
            return self._raw()
        if len(self._data) > entry.view.limit:
            self.note(
                f"{entry.name} lays out at most {entry.view.limit:.0f} bytes, these are {len(self._data)}"
            )
            return self._raw()
        return self._result(entry.view, entry.name)

    def _chosen(self, candidates: list[Entry]) -> Entry | None:
        best, highest = None, 0.0
        for entry in candidates:
            self._current = entry
            try:
                priority = entry.view.render_priority(self._data, self._metadata)
                if priority >= highest and priority > 0:
                    best, highest = entry, priority
            except Exception as problem:
                self._failed(problem)
        return best

    def _result(self, view: Contentview, name: str) -> ContentviewResult:
        if name == RAW and len(self._data) > MOST_RAW:
            self.note(f"these are the first {MOST_RAW} bytes of {len(self._data)}")
        text = view.prettify(self._data, self._metadata)
        if not isinstance(text, str):
            raise TypeError(f"prettify() returned {type(text).__name__}, not str")
        syntax = str(getattr(view, "syntax_highlight", "none"))
        return ContentviewResult(
            printable(text.replace("\r\n", "\n")), syntax, name, "; ".join(self._notes), len(self._data)
        )

    def _raw(self) -> ContentviewResult:
        return self._result(Raw(), RAW)

    def _failed(self, problem: Exception) -> None:
        name = self._current.name if self._current else RAW
        kind = "" if isinstance(problem, ValueError) and str(problem) else f"{type(problem).__name__}: "
        self.note(f"{name}: {kind}{problem}")

    def _give_up(self) -> None:
        entry = self._current
        if entry is None:
            return
        entry.gave_up = True
        self.note(f"{entry.name}: not finished after {TIME:g} s")
        logger.error(
            "content view %s of addon %s did not end within %g s: it is not chosen until the addon is "
            "loaded again", entry.name, entry.owner, TIME,
        )  # fmt: skip
