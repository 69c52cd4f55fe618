"""Content views: how bodies and messages are laid out for people, by addons, chosen by what the data is.

A view that fails, does not end or is given too much costs one line that says so, and the data is shown raw.
Nothing a view makes of hostile data can steer a terminal.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from proxyfw import ctx
from proxyfw.exceptions import AddonError
from proxyfw.flow import Flow
from proxyfw.viewing.adapted import adapted, format_dict, format_pairs, format_text
from proxyfw.viewing.attempt import Attempt, ContentviewResult, Entry
from proxyfw.viewing.interface import (
    RAW,
    AnyMessage,
    Contentview,
    Metadata,
    Raw,
    SyntaxHighlight,
    TViewLine,
    TViewResult,
    View,
    data_of,
    metadata_of,
)
from proxyfw.viewing.safety import printable

__all__ = [
    "AnyMessage",
    "Contentview",
    "ContentviewRegistry",
    "ContentviewResult",
    "Metadata",
    "SyntaxHighlight",
    "TViewLine",
    "TViewResult",
    "View",
    "add",
    "format_dict",
    "format_pairs",
    "format_text",
    "get",
    "prettify_message",
    "printable",
    "remove",
]

AUTO = "auto"


class ContentviewRegistry:
    """The views of one proxy. A view belongs to an addon and goes with it; a later one hides one of its name.

    *caller* says which addon is calling, for views that are added without saying whose they are.
    """

    def __init__(self, master: ctx.Master, caller: Callable[[], str | None] = lambda: None) -> None:
        self._master = master
        self._caller = caller
        self._loading: str | None = None
        self._entries = [Entry(Raw(), RAW, "proxyfw")]

    def add(self, view: object, owner: str | None = None) -> None:
        """Have *view* used: a `Contentview`, a `View`, something like them, or such a class.

        Unless *owner* says whose it is, it belongs to the addon that is loading or calling.
        Raises AddonError for what is none.
        """
        owner = owner or self._loading or self._caller() or "proxyfw"
        entry = _entry(view, owner)
        self._entries = [e for e in self._entries if (e.name, e.owner) != (entry.name, owner)] + [entry]

    def remove(self, view: object) -> None:
        """Take away a view, given itself, its class or its name; does nothing if it is not there any more."""
        name = view.lower() if isinstance(view, str) else None
        self._entries = [
            e for e in self._entries if e.name == RAW or (e.name != name and not _is_same(e.view, view))
        ]

    def release(self, owner: str) -> None:
        """Take away all views of an addon."""
        self._entries = [entry for entry in self._entries if entry.owner != owner]

    def belongs_to(self, owner: str) -> bool:
        """Whether an addon has added views."""
        return any(entry.owner == owner for entry in self._entries)

    @contextmanager
    def loading(self, owner: str) -> Iterator[None]:
        """Load *owner*, perhaps anew: its earlier views go, unless an exception leaves the block."""
        if self._loading == owner:  # the file of a script runs before it is an addon
            yield
            return
        before, outer = self._entries, self._loading
        self._loading = owner
        self.release(owner)
        try:
            yield
        except BaseException:
            self._entries = before
            raise
        finally:
            self._loading = outer

    def available_views(self) -> list[str]:
        """The names that `prettify` understands, ``auto`` first."""
        return [AUTO, *sorted(self._by_name())]

    def get(self, name: str) -> Contentview | None:
        """The view called *name*, or None."""
        entry = self._by_name().get(name.lower())
        return entry.view if entry else None

    def __getitem__(self, name: str) -> Contentview:
        view = self.get(name)
        if view is None:
            raise KeyError(
                f"there is no content view {name!r}; there are {', '.join(self.available_views())}"
            )
        return view

    def __iter__(self) -> Iterator[str]:
        return iter(self.available_views())

    def prettify_message(
        self,
        message: AnyMessage,
        flow: Flow | None = None,
        view_name: str = AUTO,
        *,
        lines: int | None = None,
    ) -> ContentviewResult:
        """A message laid out; never raises. *lines*: no more than that will be shown."""
        data, problem = data_of(message)
        if data is None:
            return ContentviewResult("", "none", RAW, problem, 0)
        metadata = metadata_of(message, flow, lines)
        if not problem:
            return self.prettify(data, metadata, view_name)
        result = self.prettify(data, replace(metadata, content_type=None), view_name)
        both = "; ".join(filter(None, (problem, result.description)))
        return ContentviewResult(
            result.text, result.syntax_highlight, result.view_name, printable(both), result.size
        )

    def prettify(
        self, data: bytes, metadata: Metadata | None = None, view_name: str = AUTO
    ) -> ContentviewResult:
        """*data* laid out by the view of that name, or by the one that suits it best; never raises."""
        attempt = Attempt(data, metadata or Metadata())
        views = self._by_name()
        wanted = views.get(view_name.lower())
        if wanted is None and view_name.lower() != AUTO:
            attempt.note(_unknown(view_name, self.available_views()))
        candidates = [wanted] if wanted else [entry for entry in views.values() if not entry.gave_up]
        with ctx.use(self._master):
            return attempt.run(candidates)

    def _by_name(self) -> dict[str, Entry]:
        return {entry.name: entry for entry in self._entries}


def _entry(view: object, owner: str) -> Entry:
    found = adapted(view)
    if not isinstance(found.name, str) or not found.name or found.name.lower() in (AUTO, RAW):
        raise AddonError(f"content view {view!r} needs a name of its own, not {found.name!r}")
    return Entry(found, found.name.lower(), owner)


def _is_same(view: Contentview, given: object) -> bool:
    inner = getattr(view, "view", view)
    return given is view or given is inner or (isinstance(given, type) and type(inner) is given)


def _unknown(name: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(name.lower(), known, 1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(known)}"
    return f"there is no content view {name!r}; {hint}"


# What addons call


def add(view: object) -> None:
    """Have *view* used by the proxy that is calling, for as long as the addon that calls is loaded.

    It may be a `Contentview`, a `View`, or such a class. Raises AddonError for what is none.
    """
    _registry().add(view)


def remove(view: object) -> None:
    """Take away a view, given itself, its class or its name; does nothing if it is not there any more."""
    _registry().remove(view)


def get(name: str) -> Contentview | None:
    """The view of the calling proxy that has this name, or None."""
    return _registry().get(name)


def prettify_message(message: AnyMessage, flow: Flow | None, view_name: str = AUTO) -> ContentviewResult:
    """A message laid out by the view of that name, or by the one that suits it best; never raises."""
    return _registry().prettify_message(message, flow, view_name)


def _registry() -> ContentviewRegistry:
    found: ContentviewRegistry = ctx.master.addons.contentviews
    return found


def __getattr__(name: str) -> Any:
    if name == "registry":
        return _registry()
    raise AttributeError(f"module 'proxyfw.contentviews' has no attribute {name!r}")
