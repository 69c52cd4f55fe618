"""Lets pages of other origins use what is proxied: answers preflights and adds the header fields of CORS.

It changes no other field, and what a rule written for OPTIONS answers is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.http import Headers, HTTPFlow, Request, Response
from proxyfw.options import Duration
from proxyfw.rules import Action, Hit, Match, Pattern, RuleBook

_ALLOW, _ASK = "Access-Control-Allow-", "access-control-request-"


@dataclass
class Cors(Action):
    """Allow pages of other origins to use it: preflights are answered, header fields added to responses."""

    origins: Annotated[
        list[Pattern], "Patterns of the origins that may, as `https://*.example.com`; all if left out."
    ] = field(default_factory=lambda: [Pattern("*")])
    methods: Annotated[list[str] | None, "Methods that are allowed; if left out, the one asked for."] = None
    headers: Annotated[list[str] | None, "Header fields that may be sent; if left out, those asked for."] = (
        None
    )
    expose: Annotated[list[str], "Header fields of responses that pages may read."] = field(
        default_factory=list
    )
    credentials: Annotated[bool, "Cookies may be sent along."] = False
    max_age: Annotated[Duration | None, "How long a browser may remember the answer to a preflight."] = None

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Answer a preflight."""
        if self._origin(flow.request) and _is_preflight(flow.request) and not _somebody_else_does(flow, hit):
            flow.response = Response.make(204)

    def responseheaders(self, flow: HTTPFlow, hit: Hit) -> None:
        """Add the fields."""
        assert flow.response
        preflight = _is_preflight(flow.request)
        if preflight and _somebody_else_does(flow, hit):
            return
        headers = flow.response.headers
        _vary(headers)
        if origin := self._origin(flow.request):
            headers[f"{_ALLOW}Origin"] = origin
            if self.credentials:
                headers[f"{_ALLOW}Credentials"] = "true"
            if preflight:
                self._allow(flow.request.headers, headers)
            elif self.expose:
                headers["Access-Control-Expose-Headers"] = ", ".join(self.expose)

    def _origin(self, request: Request) -> str | None:
        """The origin of the page, if it is one of those that may."""
        origin = request.headers.get("origin")
        return origin if origin and any(pattern(origin) for pattern in self.origins) else None

    def _allow(self, asked: Headers, headers: Headers) -> None:
        for name, given in (("Method", self.methods), ("Headers", self.headers)):
            allowed = asked.get(f"{_ASK}{name.lower()}") if given is None else ", ".join(given)
            if allowed:
                headers[f"{_ALLOW}{'Methods' if name == 'Method' else name}"] = allowed
        if asked.get(f"{_ASK}private-network") == "true":
            headers[f"{_ALLOW}Private-Network"] = "true"
        if self.max_age is not None:
            headers["Access-Control-Max-Age"] = str(int(self.max_age))


def _is_preflight(request: Request) -> bool:
    """Fetch standard, "CORS-preflight request"."""
    return request.method == "OPTIONS" and "origin" in request.headers and f"{_ASK}method" in request.headers


def _somebody_else_does(flow: HTTPFlow, hit: Hit) -> bool:
    """Whether there is a rule just for this: it names the method OPTIONS."""
    return any(
        _names_options(active.rule.match) and active.decide(flow)[0] is not None
        for active in hit.trace.rules.active
        if active.rule is not hit.rule
    )


def _names_options(match: Match) -> bool:
    return any(pattern.literal == "options" for pattern in match.method or ())


def _vary(headers: Headers) -> None:
    """Say to caches that the answer is for this origin."""
    names = [name.strip().lower() for value in headers.get_all("vary") for name in value.split(",")]
    if "origin" not in names and "*" not in names:
        headers.add("Vary", "Origin")


class AllowingOrigins:
    """The addon: the action and the option `cors`."""

    name = "cors"

    def load(self, loader: Loader) -> None:
        """Declare them."""
        loader.add_action("cors", Cors)
        loader.add_option(
            "cors",
            Sequence[str],
            [],
            "Let pages of these origins, * for all, use everything: answer preflights, add headers.",
            flag="--cors",
        )

    def configure(self, updated: set[str]) -> None:
        """Make a rule of the origins. Raises OptionsError."""
        if "cors" in updated:
            book: RuleBook = ctx.master.addons.rules
            origins = list(ctx.options.cors)
            action = {"type": "cors", "origins": origins, "credentials": True}
            rules = [{"name": "cors", "action": action}] if origins else []
            book.provide(self.name, book.read(rules, locate=lambda where: "cors"))
