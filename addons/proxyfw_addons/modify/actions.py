"""The actions: what rules may modify in a request, and in a response.

The head of a response is edited before its body comes, as a streamed body follows at once; its body when it
is complete.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field, fields
from typing import Annotated

from proxyfw.exceptions import ProxyfwError
from proxyfw.http import HTTPFlow, Message, Request, Response
from proxyfw.rules import Action, Hit, keep_original

from .body import BodyEdits, Injection
from .head import TOKEN, HeaderEdits, QueryEdits

log = logging.getLogger("proxyfw.modify")

_BODILESS = frozenset({101, 204, 304})


@dataclass(kw_only=True)
class Edits(BodyEdits, Action):
    """What can be modified on both sides."""

    headers: Annotated[HeaderEdits | None, "What becomes of header fields."] = None

    def __post_init__(self) -> None:
        if all(getattr(self, each.name) in (each.default, []) for each in fields(self)):
            names = ", ".join(each.name for each in fields(self))
            raise ValueError(f"nothing is modified: give one of {names}")
        super().__post_init__()
        self._warned = False

    def _may_edit(self, message: Message, hit: Hit, obstacle: str = "") -> bool:
        """Whether the body is there to be edited, and whole; if not, it is said why not."""
        if message.stream:
            obstacle = "it is streamed, so it is never there whole (option stream_large_bodies)"
            if not self._warned:
                self._warned = True
                log.warning("rule %s leaves a body as it is: %s", hit.rule, obstacle)
        elif message.raw_content is None:
            obstacle = "it is not known"
        elif not obstacle and not message.raw_content and not self.replaces_body:
            obstacle = "there is none"
        if obstacle:
            hit.note(f"body: left as it is: {obstacle}")
        return not obstacle

    def _edit_body(self, message: Message, hit: Hit) -> None:
        try:
            self.edit_body(message, hit)
        except ValueError as problem:  # it is not in the encoding it claims
            hit.note(f"body: left as it is: {problem}")


@dataclass(kw_only=True)
class ModifyRequest(Edits):
    """Modify the request before it is sent."""

    method: Annotated[str | None, "Its method."] = None
    url: Annotated[
        str | None, "Its URL; `$1` is what a wildcard stood for. Host follows; without a `?` the query stays."
    ] = None
    path: Annotated[str | None, "Its path; `$1` and query as for url."] = None
    query: Annotated[QueryEdits | None, "What becomes of the parameters of the query."] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method is not None and not re.fullmatch(TOKEN, self.method):
            raise ValueError(f"method: {self.method!r} is no method")
        if self.url is not None and self.path is not None:
            raise ValueError("url has a path in it: leave path out")
        if self.url is not None and "$" not in self.url:
            Request.make("GET", self.url)
        if self.path is not None and not self.path.startswith(("/", "$", "*")):
            raise ValueError(f"path: {self.path!r} must begin with a slash")

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Modify it."""
        request = flow.request
        if self.method is not None:
            request.method = self.method
            hit.note(f"method {self.method}")
        if self.url is not None:
            _send_to(request, hit.expand(self.url))
            hit.note(f"url {request.url}")
        if self.path is not None:
            _set_path(request, hit.expand(self.path))
            hit.note(f"path {request.path}")
        if self.query is not None:
            self.query.apply(request, hit)
        if not request.stream:
            self.declare_json(request)
        if self.headers is not None:
            self.headers.apply(request, hit)
        if self.edits_body and self._may_edit(request, hit):
            self._edit_body(request, hit)


@dataclass(kw_only=True)
class ModifyResponse(Edits):
    """Modify the response, whoever gave it, before it is sent to the client."""

    status: Annotated[int | None, "Its status."] = None
    inject: Annotated[list[Injection], "What is put into it if it is an HTML page."] = field(
        default_factory=list
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.status is not None and not 200 <= self.status <= 999:
            raise ValueError(f"status: {self.status} is no status to end with: write 200 to 999")

    @property
    def edits_head(self) -> bool:
        """There is something to do with the head."""
        return self.status is not None or self.headers is not None

    @property
    def edits_body(self) -> bool:
        """There is something to do with the body."""
        return super().edits_body or bool(self.inject)

    def acts_in(self) -> list[str]:
        """Where only the body is edited, the rule may ask about the body."""
        return ["responseheaders", "response"] if self.edits_head else ["response"]

    def responseheaders(self, flow: HTTPFlow, hit: Hit) -> None:
        """Modify its head."""
        if flow.response is not None:
            keep_original(flow)
            self._edit_head(flow.response, hit)

    def response(self, flow: HTTPFlow, hit: Hit) -> None:
        """Modify its body; and its head if only now it is known that the rule matches."""
        response = flow.response
        if response is None:
            return
        if hit.hook == "response" and not response.stream:
            keep_original(flow)
            self._edit_head(response, hit)
        elif hit.hook == "response" and self.edits_head:
            hit.note("head: left as it is: it had been sent when the rule was found to match")
        if self.edits_body and self._may_edit(response, hit, _obstacle(flow.request, response)):
            keep_original(flow, body=True)
            self._edit_body(response, hit)

    def _edit_head(self, response: Response, hit: Hit) -> None:
        if self.status is not None:
            response.status_code = self.status
            response.reason = Response.make(self.status).reason
            hit.note(f"status {self.status}")
        if not response.stream:
            self.declare_json(response)
        if self.headers is not None:
            self.headers.apply(response, hit)

    def edit_body(self, message: Message, hit: Hit) -> None:
        """As for requests; into pages something may be put."""
        super().edit_body(message, hit)
        for injection in self.inject:
            if not message.headers.get("content-type", "").lower().startswith("text/html"):
                hit.note("body: nothing injected: it is not HTML")
            elif injection.apply(message):
                hit.note(f"body: injected at {injection.at}")
            else:
                hit.note(f"body: nothing injected: it has no {injection.at}")


def _send_to(request: Request, url: str) -> None:
    try:
        request.url = _with_query(url, request.path)
    except ValueError as problem:
        raise ProxyfwError(f"url: {problem}") from None


def _set_path(request: Request, path: str) -> None:
    if not path.startswith(("/", "*")):
        raise ProxyfwError(f"path: {path!r} does not begin with a slash")
    request.path = _with_query(path, request.path)


def _with_query(target: str, path: str) -> str:
    """*target*, with the query of *path* unless it has one of its own."""
    _, mark, query = path.partition("?")
    return target if "?" in target else f"{target}{mark}{query}"


def _obstacle(request: Request, response: Response) -> str:
    """Why the body of *response* cannot be edited, if it cannot."""
    if request.method == "HEAD" or response.status_code in _BODILESS:
        return "there is none"
    if response.status_code == 206:
        return "it is a part of one"
    return ""
