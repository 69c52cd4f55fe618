"""One answer of a mock, as it is written in a rule, and the response that it makes."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

from proxyfw.exceptions import ProxyfwError
from proxyfw.http import HTTPFlow, Response, media_type_of
from proxyfw.options import Duration
from proxyfw.rules import File, Hit

from .template import Fill, filler, parsed

_NOTHING: Any = object()
_AT_ONCE = Duration(0)
_BODILESS = (204, 304)
_HTML, _XML = ("<!doctype html", "<html"), ("<?xml", "<svg")


@dataclass
class Answer:
    """What a mock answers."""

    status: Annotated[int, "Status."] = 200
    reason: Annotated[str | None, "Reason phrase; if left out, the one that belongs to the status."] = None
    headers: Annotated[
        dict[str, list[str] | None],
        "Header fields; a list is several of a name, null none: also not by itself.",
    ] = field(default_factory=dict)
    body: Annotated[str | None, "Body, as text."] = None
    body_file: Annotated[File | None, "File with the body; it is read each time."] = None
    json: Annotated[Any, "Body, as JSON."] = field(default=_NOTHING)
    template: Annotated[
        bool, "In body, file, JSON and headers, `{{ … }}` stands for values of the request."
    ] = False
    delay: Annotated[Duration, "How long to wait before."] = _AT_ONCE

    def __post_init__(self) -> None:
        if not 200 <= self.status <= 999:
            raise ValueError(f"status: {self.status} is no status to end with: write 200 to 999")
        contents = self._contents()
        if len(contents) > 1:
            raise ValueError(f"an answer has one body: write {' or '.join(contents)}, not all of them")
        if contents and self.status in _BODILESS:
            raise ValueError(f"{contents[0]}: an answer with status {self.status} has no body")
        try:
            if self.template:
                for text in self._texts():
                    parsed(text)
            else:
                self._head(str)
        except ProxyfwError as problem:
            raise ValueError(str(problem)) from None

    async def made_for(self, flow: HTTPFlow, hit: Hit) -> Response:
        """The response to *flow*. Raises ProxyfwError."""
        fill = filler(flow, hit) if self.template else str
        content, kind = await self._body(fill)
        response = self._head(fill)
        headers = response.headers
        if kind and not any(name.lower() == "content-type" for name in self.headers):
            headers["Content-Type"] = kind
        if "content-length" not in headers and self.status not in _BODILESS:
            headers["Content-Length"] = str(len(content))
        if flow.request.method != "HEAD":
            response.raw_content = content
        return response

    def given(self) -> list[str]:
        """The names of the fields that are not as they are by themselves."""
        plain = Answer()
        return [each.name for each in fields(Answer) if getattr(self, each.name) != getattr(plain, each.name)]

    def _contents(self) -> list[str]:
        given = {"body": self.body is not None, "body_file": self.body_file is not None}
        return [name for name, is_given in (given | {"json": self.json is not _NOTHING}).items() if is_given]

    def _texts(self) -> Iterator[str]:
        """All that is a template."""
        yield self.body or ""
        for values in self.headers.values():
            yield from values or ()
        yield from _strings(self.json)

    def _head(self, fill: Fill) -> Response:
        """Status and header fields."""
        response = Response.make(self.status)
        response.headers.clear()
        if self.reason is not None:
            response.reason = _one_line("reason", self.reason)
        for name, values in self.headers.items():
            for value in map(fill, values or ()):
                response.headers.add(name, _one_line(f"headers: {name}", value))
        return response

    async def _body(self, fill: Fill) -> tuple[bytes, str]:
        """The body and its media type, which is "" if there is neither."""
        if self.json is not _NOTHING:
            import json  # as below, only now: a proxy without mocks needs none

            return json.dumps(_filled(self.json, fill), default=str).encode(), "application/json"
        if self.body is not None:
            text = fill(self.body)
            return text.encode(), _kind(text)
        if self.body_file is None:
            return b"", ""
        content = await asyncio.to_thread(_read, self.body_file)
        kind = media_type_of(self.body_file.name)
        if self.template:
            content = fill(_decoded(content, self.body_file)).encode()
        return content, f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def _one_line(what: str, value: str) -> str:
    if any(character in value for character in "\r\n\0"):
        raise ProxyfwError(f"{what} would be {value!r}, which is more than one line")
    return value


def _read(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ProxyfwError(f"cannot read {path}: it is not a file")
        return path.read_bytes()
    except OSError as problem:
        raise ProxyfwError(f"cannot read {path}: {problem.strerror}") from None


def _decoded(content: bytes, path: Path) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as problem:
        raise ProxyfwError(f"{path} is no template: it is not UTF-8 at byte {problem.start}") from None


def _kind(text: str) -> str:
    """The media type that *text* seems to have."""
    start = text.lstrip()[:14].lower()
    if start.startswith(_HTML):
        return "text/html; charset=utf-8"
    if start.startswith(_XML):
        return "image/svg+xml" if start.startswith("<svg") else "application/xml"
    if start.startswith(("{", "[")):
        import json

        try:
            json.loads(text)
            return "application/json"
        except ValueError:
            pass
    return "text/plain; charset=utf-8"


def _strings(data: Any) -> Iterator[str]:
    """All text in JSON, but for keys."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict | list):
        for each in data.values() if isinstance(data, dict) else data:
            yield from _strings(each)


def _filled(data: Any, fill: Fill) -> Any:
    if isinstance(data, str):
        return fill(data)
    if isinstance(data, dict):
        return {key: _filled(each, fill) for key, each in data.items()}
    return [_filled(each, fill) for each in data] if isinstance(data, list) else data
