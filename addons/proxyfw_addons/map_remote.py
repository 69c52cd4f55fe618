"""Sends requests to another URL than they name, body and all; the client does not learn of it.

It changes requests and opens no connection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.http import HTTPFlow, Request, Response
from proxyfw.rules import Action, Hit, Rule, RuleBook, split_spec

_FORM = "|[filter|]url-regex|replacement"
_WEB = {"ws": "http", "wss": "https"}
"""Schemes of WebSocket URLs, and those that requests for them have."""


@dataclass
class MapRemote(Action):
    """Send the request to another URL; the client does not learn of it."""

    to: Annotated[
        str | None, "URL to send it to; `$1` is what the first wildcard or group of the match stood for."
    ] = None
    replace: Annotated[
        dict[str, str],
        "Instead: regular expressions, and what takes their place in the URL; `\\1` is a group.",
    ] = field(default_factory=dict)
    preserve_path: Annotated[
        bool | None, "The path of the request goes on behind that of `to`; by default if `to` has none."
    ] = None
    preserve_query: Annotated[
        bool | None, "The query of the request is kept; by default if `to` has none."
    ] = None
    keep_host: Annotated[bool, "The Host header stays what the client has named."] = False
    _parts: list[tuple[re.Pattern[str], str]] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        if (self.to is None) == (not self.replace):
            raise ValueError("give one of to (a URL) and replace (parts of the URL)")
        if self.to is None and (self.preserve_path, self.preserve_query) != (None, None):
            raise ValueError(
                "replace keeps what it does not name: leave preserve_path and preserve_query out"
            )
        if self.to is not None:
            _check_url(re.sub(r"\$\d", "1", self.to))
        self._parts = [(_regex(regex, by), by) for regex, by in self.replace.items()]

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Change where it goes."""
        before = flow.request.pretty_url
        url = before
        for regex, by in self._parts:
            url = regex.sub(by, url)
        if self.to is not None:
            url = self._target(flow.request, hit.expand(self.to))
        if url != before:
            self._send(flow, url, hit)

    def _target(self, request: Request, to: str) -> str:
        base, _, query = to.partition("?")
        scheme, _, rest = base.partition("://")
        authority, slash, path = rest.partition("/")
        path = slash + path
        asked_path, _, asked_query = request.path.partition("?")
        if _chosen(self.preserve_path, path in ("", "/")) and asked_path.startswith("/"):
            path = path.rstrip("/") + asked_path
        if _chosen(self.preserve_query, not query) and asked_query:
            query = f"{query}&{asked_query}" if query else asked_query
        return f"{scheme}://{authority}{path or '/'}{'?' if query else ''}{query}"

    def _send(self, flow: HTTPFlow, url: str, hit: Hit) -> None:
        request = flow.request
        named, authority = request.host_header, request.authority
        try:
            request.url = _check_url(url)
        except ValueError as problem:  # the origin that was named is not the one that was meant
            hit.note(f"{url!r} is no URL: {problem}")
            flow.response = Response.make(502, f"map_remote, rule {hit.rule.name}: {problem}\n", _TEXT)
            return
        if self.keep_host:
            request.authority, request.host_header = authority, named
        hit.note(f"sent to {request.url}")


_TEXT = {"Content-Type": "text/plain; charset=utf-8"}


def _chosen(said: bool | None, otherwise: bool) -> bool:
    return otherwise if said is None else said


def _check_url(url: str) -> str:
    """*url* as requests have it. Raises ValueError if none can go there."""
    scheme, colon, rest = url.partition(":")
    url = f"{_WEB.get(scheme.lower(), scheme)}{colon}{rest}"
    if Request.make("GET", url).scheme not in ("http", "https"):
        raise ValueError(f"URL {url!r} must begin with http://, https://, ws:// or wss://")
    return url


def _regex(text: str, replacement: str) -> re.Pattern[str]:
    """*text* compiled. Raises ValueError if it, or *replacement*, cannot be."""
    try:
        regex = re.compile(text)
    except re.error as problem:
        raise ValueError(f"{text!r} is not a regular expression: {problem}") from None
    try:
        re.sub(f"{text}|", replacement, "")
    except (re.error, IndexError) as problem:
        raise ValueError(f"{replacement!r} cannot take the place of {text!r}: {problem}") from None
    return regex


class RemoteMapping:
    """The addon: action and option `map_remote`."""

    name = "map_remote"

    def load(self, loader: Loader) -> None:
        """Declare action and option."""
        loader.add_action("map_remote", MapRemote)
        loader.add_option(
            "map_remote",
            Sequence[str],
            [],
            f"Send requests elsewhere: {_FORM}; all that match, one after the other.",
            flag="--map-remote",
            short="-M",
        )

    def configure(self, updated: set[str]) -> None:
        """Make rules of the option. Raises OptionsError."""
        if "map_remote" in updated:
            book: RuleBook = ctx.master.addons.rules
            book.provide(self.name, _rules(book, ctx.options.map_remote))


def _rules(book: RuleBook, specs: Sequence[str]) -> Iterator[Rule]:
    for index, spec in enumerate(specs):
        expression, regex, replacement = split_spec("map_remote", spec, _FORM)
        match: dict[str, Any] = {"url": f"/{regex or '^'}/", **({"filter": expression} if expression else {})}
        action = {"type": "map_remote", "replace": {regex: replacement}}
        rule = {"name": f"map_remote[{index}]", "match": match, "action": action}
        yield from book.read([rule], locate=lambda _, spec=spec: f"map_remote: {spec!r}")  # type: ignore[misc]
