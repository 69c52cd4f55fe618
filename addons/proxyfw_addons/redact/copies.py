"""Takes secrets out of copies of flows, whatever their protocol. Bodies keep their encoding and framing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from proxyfw.flow import Error, Flow
from proxyfw.http import Headers, HTTPFlow, Message, Request
from proxyfw.rules import Trace, original_response, replace_original

from .kinds import Mark
from .recipe import Recipe

_NO_TEXT = ("image/", "audio/", "video/", "font/")
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"


def clean(copy: Flow, recipes: Sequence[Recipe], mark: Mark) -> None:
    """Take out of *copy* what *recipes* name."""
    for recipe in recipes:
        _clean(copy, recipe, mark)


def _clean(copy: Flow, recipe: Recipe, mark: Mark) -> None:
    messages: Any = getattr(copy, "messages", ())
    if isinstance(copy, HTTPFlow):
        _request_line(copy.request, recipe, mark)
        for message in (copy.request, copy.response):
            if message is not None:
                _message(message, recipe, mark)
        _original(copy, recipe, mark)
        messages = copy.websocket.messages if copy.websocket else ()
        if copy.websocket and copy.websocket.close_reason:
            copy.websocket.close_reason = recipe.line(copy.websocket.close_reason, mark)
    for each in messages if recipe.reads_bodies else ():
        each.content = _bytes(each.content, lambda text: recipe.document(text, mark))
    _remarks(copy, lambda text: recipe.line(text, mark))


def _original(copy: HTTPFlow, recipe: Recipe, mark: Mark) -> None:
    original = original_response(copy)
    if original is not None:
        _message(original, recipe, mark)
        replace_original(copy, original)


def _request_line(request: Request, recipe: Recipe, mark: Mark) -> None:
    path = recipe.pairs(request.path, mark)
    if path != request.path:
        request.path = path
    if "@" in request.authority:  # user and password
        request.authority = recipe.text(f"://{request.authority}", mark)[3:]


def _message(message: Message, recipe: Recipe, mark: Mark) -> None:
    for headers in (message.headers, message.trailers):
        if headers is not None:
            _fields(headers, recipe, mark)
    if message.raw_content and recipe.reads_bodies:
        _body(message, recipe, mark)


def _fields(headers: Headers, recipe: Recipe, mark: Mark) -> None:
    def value(name: bytes, old: bytes) -> bytes:
        return _bytes(old, lambda text: recipe.header(name.decode("latin-1"), text, mark))

    fields = [(name, value(name, old)) for name, old in headers.fields]
    if fields != headers.fields:
        headers.fields = fields


def _body(message: Message, recipe: Recipe, mark: Mark) -> None:
    kind = message.headers.get("content-type", "").lower()
    if kind.startswith(_NO_TEXT):
        return
    try:
        content = message.get_content()
    except ValueError:  # nobody can say what is in it
        message.raw_content = mark("x").encode()
        message.headers.pop("content-encoding", None)
        return
    if isinstance(message, Request) and kind.startswith(_MULTIPART):
        _parts(message, recipe, mark)
        return
    text = message.get_text(strict=False) or ""
    is_form = kind.startswith(_FORM) and not text.startswith(("{", "["))  # curl calls all that it sends one
    new = recipe.pairs(text, mark) if is_form else recipe.document(text, mark)
    if new != text and content is not None:
        _set_text(message, new)


def _set_text(message: Message, text: str) -> None:
    truncated = message.truncated
    message.text = text
    message.truncated = truncated


def _parts(request: Request, recipe: Recipe, mark: Mark) -> None:
    form = request.multipart_form
    if not form or request.truncated:  # nobody can say to which field its end belongs
        truncated = request.truncated
        request.content, request.truncated = mark("x").encode(), truncated
        return
    fields = [
        (name, _bytes(value, lambda text, name=name: _field(name, text, recipe, mark)))  # type: ignore[misc]
        for name, value in form.items(multi=True)
    ]
    if fields != list(form.items(multi=True)):
        request.multipart_form = fields


def _field(name: bytes, text: str, recipe: Recipe, mark: Mark) -> str:
    if recipe.names(name.decode("utf-8", "replace")):
        return mark(text)
    return recipe.document(text, mark)


def _bytes(data: bytes, change: Callable[[str], str]) -> bytes:
    """What *change* makes of *data*; what it does not touch stays the same bytes."""
    text = data.decode("utf-8", "surrogateescape")
    new = change(text)
    return data if new == text else new.encode("utf-8", "surrogateescape")


def _remarks(copy: Flow, change: Callable[[str], str]) -> None:
    """What people and addons have said about the flow, in which its URL may be."""
    copy.comment = change(copy.comment)
    if copy.error is not None:
        copy.error = Error(change(copy.error.msg), copy.error.timestamp)
    if copy.metadata:
        copy.metadata = _nested(copy.metadata, change)
    if copy.trace is not None:
        trace = Trace(copy.trace.rules)
        trace.steps = [step._replace(detail=change(step.detail)) for step in copy.trace.steps]
        trace.answered_by, trace.host = copy.trace.answered_by, copy.trace.host
        copy.trace = trace


def _nested(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _nested(each, change) for key, each in value.items()}
    return type(value)(_nested(each, change) for each in value) if type(value) in (list, tuple) else value
