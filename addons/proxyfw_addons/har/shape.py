"""What HAR 1.2 demands of a document: each object's members, their kinds, and which must be there.

Members whose names begin with ``_`` are free, and so are others that the format does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .timings import read_time

Kind = str
_SHAPES: dict[str, dict[str, Kind]] = {
    "log": {
        "version": "text",
        "creator": "@creator",
        "browser?": "@creator",
        "pages?": "[page]",
        "entries": "[entry]",
        "comment?": "text",
    },
    "creator": {"name": "text", "version": "text", "comment?": "text"},
    "page": {"startedDateTime": "date", "id": "text", "title": "text", "pageTimings": "@pageTimings"},
    "pageTimings": {"onContentLoad?": "maybe", "onLoad?": "maybe"},
    "entry": {
        "pageref?": "text",
        "startedDateTime": "date",
        "time": "number",
        "request": "@request",
        "response": "@response",
        "cache": "@cache",
        "timings": "@timings",
        "serverIPAddress?": "text",
        "connection?": "text",
        "comment?": "text",
    },
    "request": {
        "method": "text",
        "url": "text",
        "httpVersion": "text",
        "cookies": "[cookie]",
        "headers": "[pair]",
        "queryString": "[pair]",
        "postData?": "@postData",
        "headersSize": "integer",
        "bodySize": "integer",
    },
    "response": {
        "status": "integer",
        "statusText": "text",
        "httpVersion": "text",
        "cookies": "[cookie]",
        "headers": "[pair]",
        "content": "@content",
        "redirectURL": "text",
        "headersSize": "integer",
        "bodySize": "integer",
    },
    "cookie": {
        "name": "text",
        "value": "text",
        "path?": "text",
        "domain?": "text",
        "expires?": "expiry",
        "httpOnly?": "flag",
        "secure?": "flag",
    },
    "pair": {"name": "text", "value": "text"},
    "postData": {"mimeType": "text", "params?": "[param]", "text?": "text"},
    "param": {"name": "text", "value?": "text", "fileName?": "text", "contentType?": "text"},
    "content": {
        "size": "integer",
        "compression?": "integer",
        "mimeType": "text",
        "text?": "text",
        "encoding?": "text",
    },
    "cache": {},
    "timings": {
        "blocked?": "maybe",
        "dns?": "maybe",
        "connect?": "maybe",
        "ssl?": "maybe",
        "send": "number",
        "wait": "number",
        "receive": "number",
    },
}


def problems(document: object) -> Iterator[str]:
    """What is wrong with *document*, each with its place in it, such as ``log.entries[3].request.url``."""
    root = document.get("log") if isinstance(document, dict) else None
    if root is None:
        yield "log is missing: this is no HAR"
    else:
        yield from _object(root, "log", "log")


def _object(value: object, shape: str, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place} must be an object, not {_brief(value)}"
        return
    for name, kind in _SHAPES[shape].items():
        key = name.removesuffix("?")
        if key not in value:
            if key is name:
                yield f"{place}.{key} is missing"
        elif kind.startswith("@"):
            yield from _object(value[key], kind[1:], f"{place}.{key}")
        elif kind.startswith("["):
            yield from _list(value[key], kind[1:-1], f"{place}.{key}")
        elif not _KINDS[kind][0](value[key]):
            yield f"{place}.{key} must be {_KINDS[kind][1]}, not {_brief(value[key])}"


def _list(value: object, shape: str, place: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{place} must be a list, not {_brief(value)}"
        return
    for index, item in enumerate(value):
        yield from _object(item, shape, f"{place}[{index}]")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_integer(value: Any) -> bool:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return whole and not isinstance(value, bool) and value >= -1


def _is_date(value: Any) -> bool:
    try:
        read_time(value)
    except ValueError:
        return False
    return True


_KINDS: dict[Kind, tuple[Callable[[Any], bool], str]] = {
    "text": (lambda value: isinstance(value, str), "text"),
    "flag": (lambda value: isinstance(value, bool), "true or false"),
    "number": (_is_number, "a number, 0 or more"),
    "maybe": (lambda value: value is None or value == -1 or _is_number(value), "a number, or -1"),
    "integer": (_is_integer, "a whole number, -1 or more"),
    "date": (_is_date, "a date of ISO 8601"),
    "expiry": (lambda value: value is None or value == "" or _is_date(value), "a date of ISO 8601"),
}


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "…"
