"""What may be kept of flows: who stores, prints, logs or exports something asks `redacted` first.

What is on the wire, and in memory, stays as it is; addons take secrets out of copies.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from proxyfw.addon.context import current
from proxyfw.flow import Error, Flow
from proxyfw.http import Headers, HTTPFlow

__all__ = ["Redaction", "Redactor", "redacted", "redacted_text"]

F = TypeVar("F", bound=Flow)
log = logging.getLogger("proxyfw")


class Redactor(Protocol):
    """Who takes secrets out of what is kept; `Loader.add_redactor` makes it known."""

    def plan(self, flow: Flow) -> Callable[[Flow], None] | None:
        """What takes the secrets out of a copy of *flow*; None if there is nothing to be done."""

    def text(self, text: str) -> str:
        """*text*, a line of the log for one, without secrets."""


class Redaction:
    """The redactors of one proxy; what they fail at is not kept at all."""

    def __init__(self) -> None:
        self._redactors: list[tuple[Redactor, str]] = []

    def add(self, redactor: Redactor, source: str) -> None:
        """Ask *redactor*, of the addon *source*, from now on."""
        self._redactors.append((redactor, source))

    def release(self, source: str) -> None:
        """The addon *source* is gone."""
        self._redactors = [pair for pair in self._redactors if pair[1] != source]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Undo what was changed inside if an exception leaves the block."""
        before = self._redactors[:]
        try:
            yield
        except BaseException:
            self._redactors = before
            raise

    def flow(self, flow: F) -> F:
        """*flow* itself, or if there is something to be taken out, a copy with the same id without that."""
        if not self._redactors:
            return flow
        copy: F | None = None
        try:
            plans = [plan for redactor, _ in self._redactors if (plan := redactor.plan(flow)) is not None]
            if not plans:
                return flow
            copy = _twin(flow)
            for plan in plans:
                plan(copy)
        except Exception as problem:
            log.error("flow %s is kept without content: its redaction failed", flow.id, exc_info=problem)
            copy = _emptied(copy or _twin(flow))
        return copy

    def text(self, text: str) -> str:
        """*text* without secrets."""
        for redactor, _ in self._redactors:
            try:
                text = redactor.text(text)
            except Exception as problem:
                return f"(not shown: its redaction failed: {type(problem).__name__})"
        return text


def redacted(flow: F) -> F:
    """What may be kept or shown of *flow*: itself, or a copy, with the same id, that lacks secrets.

    Cheap where nothing is to be redacted. The proxy is the one on whose behalf the code is running.
    """
    redaction = _of(current())
    return redaction.flow(flow) if redaction else flow


def redacted_text(text: str, proxy: Any = None) -> str:
    """What may be kept or shown of *text* that may speak of flows, such as a line of the log of *proxy*."""
    redaction = _of(proxy or current())
    return redaction.text(text) if redaction else text


def _of(proxy: Any) -> Redaction | None:
    """None: there is no proxy, or it is still being made."""
    return getattr(getattr(proxy, "addons", None), "redaction", None)


def _twin(flow: F) -> F:
    twin = flow._twin()
    twin.id, twin.trace, twin.intercepted = flow.id, flow.trace, flow.intercepted
    return twin


def _emptied(copy: F) -> F:
    """*copy* without anything that could be a secret."""
    copy.comment, copy.metadata, copy.trace = "", {}, None
    if copy.error is not None:
        copy.error = Error("(its redaction failed)", copy.error.timestamp)
    messages: Any = getattr(copy, "messages", [])
    if isinstance(copy, HTTPFlow):
        copy.request.path = "/"
        for message in (copy.request, copy.response):
            if message is not None:
                message.headers, message.trailers, message.raw_content = Headers(), None, None
        messages = copy.websocket.messages if copy.websocket else []
    for each in messages:
        each.content = b""
    return copy
