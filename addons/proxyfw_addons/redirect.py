"""Sends clients elsewhere with a 3xx answer; the request itself goes nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow, Request, Response
from proxyfw.rules import Action, Hit, RuleBook, split_spec

_URL_CHARACTERS = "!#$%&'()*+,/:;=?@[]~"
"""What stays as it is in a Location. RFC 3986 section 2.2."""
_FORM = "/[filter/]url-regex/location"


@dataclass
class Redirect(Action):
    """Answer with a redirect."""

    to: Annotated[str, "Where to: a URL, or a path on the same host; `$1` is what the first `*` stood for."]
    status: Annotated[
        Literal[301, 302, 303, 307, 308], "307 and 308 have the client keep method and body."
    ] = 302
    preserve_path: Annotated[bool, "Put the path of the request behind it."] = False
    preserve_query: Annotated[bool, "Put the query of the request behind it."] = False

    def __post_init__(self) -> None:
        urlsplit(self.to)

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Answer, unless that would send the client to where it is."""
        location = self._location(flow.request, hit)
        if urljoin(flow.request.pretty_url, location) == flow.request.pretty_url:
            hit.note(f"not redirected: it is at {location} already")
            return
        flow.response = Response.make(self.status, b"", {"Location": location})

    def _location(self, request: Request, hit: Hit) -> str:
        target = urlsplit(hit.expand(self.to))
        path, query = target.path, target.query
        asked_path, _, asked_query = request.path.partition("?")
        if self.preserve_path:
            path = f"{path.rstrip('/')}{asked_path}"
        if self.preserve_query and asked_query:
            query = f"{query}&{asked_query}" if query else asked_query
        location = urlunsplit((target.scheme, target.netloc, path, query, target.fragment))
        return quote(location, safe=_URL_CHARACTERS)


class Redirects:
    """The addon: the action and the option `redirect`."""

    name = "redirect"

    def load(self, loader: Loader) -> None:
        """Declare them."""
        loader.add_action("redirect", Redirect)
        loader.add_option(
            "redirect",
            Sequence[str],
            [],
            f"Answer with a redirect (302): {_FORM}; $1 is what the first group has found.",
            flag="--redirect",
        )

    def configure(self, updated: set[str]) -> None:
        """Make rules of the specs. Raises OptionsError."""
        if "redirect" in updated:
            book: RuleBook = ctx.master.addons.rules
            specs = ctx.options.redirect
            rules = [_rule(index, spec) for index, spec in enumerate(specs)]
            book.provide(self.name, book.read(rules, locate=lambda where: f"redirect: {specs[where[0]]!r}"))


def _rule(index: int, spec: str) -> dict[str, Any]:
    """The rule that *spec* means."""
    expression, regex, location = split_spec("redirect", spec, _FORM)
    if not regex or not location:
        raise OptionsError(f"redirect: {spec!r} has an empty part: write {_FORM}")
    match = {"url": f"/{regex}/", **({"filter": expression} if expression else {})}
    return {"name": f"redirect[{index}]", "match": match, "action": {"type": "redirect", "to": location}}
