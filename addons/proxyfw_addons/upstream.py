"""Chooses an upstream proxy for each host: HTTP, HTTPS or SOCKS 5, or none.

The way through it is the core's; a password is told to the proxy that it is for, and to nobody else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import unquote

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.connection import Server, ServerConnectionHookData, ServerSpec, shown_address
from proxyfw.exceptions import ConnectError, OptionsError
from proxyfw.http import HTTPFlow, Response
from proxyfw.rules import Action, Hit, Pattern, Rule, RuleBook, host_key

_FORM = "host=proxy"
_DIRECT = "direct"
_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_PROXY = re.compile(
    r"(?P<scheme>[a-z0-9]+)://(?:(?P<login>.*)@)?(?:\[(?P<ip6>[0-9A-Fa-f:.]+)\]|(?P<host>[^:/@\[\]\s]+))"
    r"(?::(?P<port>\d{1,5}))?/?",
    re.DOTALL | re.IGNORECASE,
)
_DECIDED = "upstream proxy: "
"""What the note begins with that says which it is."""
_LATE = 1000
"""Priority of the option's rules: the host is settled when they are asked."""


@dataclass
class Upstream(Action):
    """Go on through another proxy, or directly. The first rule that matches decides."""

    proxy: Annotated[
        str,
        "`http://[user:password@]host:port`, `https`, `socks5` (names resolved here), `socks5h`; `direct`.",
    ] = field(repr=False)
    auth: Annotated[
        str | None,
        "`user:password`, if they are not in `proxy`; `$NAME`: what that environment variable says.",
    ] = field(default=None, repr=False)
    bypass: Annotated[list[Pattern], "Hosts that are reached directly all the same."] = field(
        default_factory=list
    )

    def __post_init__(self) -> None:
        self._via = _read(self.proxy)
        if self.auth is not None and self._via is not None and self._via.credentials:
            raise ValueError("proxy names user and password: leave auth out")
        if self.auth is not None and not self.auth.startswith("$"):
            _check(self.auth, "auth must be user:password, or $NAME for an environment variable")

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Choose for a request."""
        if flow.server_conn.timestamp_start:  # connected ahead, by the way that it says
            flow.server_conn = flow.server_conn.copy()
        try:
            self._choose(flow.server_conn, flow.request.pretty_host, hit)
        except ConnectError as problem:
            flow.response = Response.make(502, f"{problem}\n", {"Content-Type": "text/plain; charset=utf-8"})

    def server_connect(self, data: ServerConnectionHookData, hit: Hit) -> None:
        """Choose for a tunnel; proxies carry no datagrams."""
        server = data.server
        if data.flow is None and server.address and server.transport_protocol == "tcp":
            try:
                self._choose(server, server.address[0], hit)
            except ConnectError as problem:
                server.error = str(problem)

    def _choose(self, server: Server, host: str, hit: Hit) -> None:
        """Raises ConnectError if nobody says who we are."""
        if any(step.detail.startswith(_DECIDED) for step in hit.trace.steps):
            return
        direct = any(pattern(host_key(host)) for pattern in self.bypass)
        server.via = None if direct else self._known(hit)
        hit.note(f"{_DECIDED}{_shown(server.via)}")

    def _known(self, hit: Hit) -> ServerSpec | None:
        """The proxy, with credentials."""
        if self._via is None or self.auth is None:
            return self._via
        credentials: str | None = self.auth
        if self.auth.startswith("$"):  # read now, so that a rule file can be checked where nobody has it
            credentials = os.environ.get(self.auth[1:])
        if not credentials or ":" not in credentials:
            raise ConnectError(
                f"{hit.rule.name}: no user:password for {_shown(self._via)}"
                f" in the environment variable {self.auth}"
            )
        return ServerSpec(*self._via, credentials)


def _read(text: str) -> ServerSpec | None:
    """The proxy that *text* names; None for the direct way. Raises ValueError, which shows no password."""
    if text == _DIRECT:
        return None
    found = _PROXY.fullmatch(text)
    scheme = found["scheme"].lower() if found else ""
    if not found or scheme not in _PORTS:
        raise ValueError(
            f"proxy must be {_DIRECT}, or a URL as http://host:3128; schemes are {', '.join(_PORTS)}"
        )
    port = int(found["port"] or _PORTS[scheme])
    if not 0 < port < 65536:
        raise ValueError(f"proxy: {port} is not a port")
    credentials = unquote(found["login"]) if found["login"] else None
    if credentials is not None:
        _check(credentials, "proxy: write http://user:password@host, with %40 for an @ in the password")
    return ServerSpec(scheme, (found["ip6"] or found["host"], port), credentials)


def _check(credentials: str, problem: str) -> None:
    if ":" not in credentials:
        raise ValueError(problem)


def _shown(via: ServerSpec | None) -> str:
    return f"{via.scheme}://{shown_address(via.address)}" if via else "none"


class UpstreamRules:
    """The addon: action `upstream`, option `upstream_rules`."""

    name = "upstream"

    def load(self, loader: Loader) -> None:
        """Declare action and option."""
        loader.add_action("upstream", Upstream)
        loader.add_option(
            "upstream_rules",
            Sequence[str],
            [],
            f"Upstream proxies by host: {_FORM}, as *.corp.example=http://proxy:3128 or localhost={_DIRECT}.",
            flag="--upstream",
        )

    def configure(self, updated: set[str]) -> None:
        """Make rules of the option. Raises OptionsError."""
        if "upstream_rules" in updated:
            book: RuleBook = ctx.master.addons.rules
            book.provide(self.name, sorted(_rules(book, ctx.options.upstream_rules), key=_is_wildcard))


def _rules(book: RuleBook, entries: Sequence[str]) -> Iterator[Rule]:
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        host, _, proxy = (part.strip() for part in entry.partition("="))
        if not host or not proxy or "://" in host:  # which may be a password's beginning
            raise OptionsError(
                f"upstream_rules: entry {index + 1} is not of the form {_FORM}, as *.test=http://proxy:3128"
            )
        if host in seen:
            raise OptionsError(f"upstream_rules: there are two entries for {host!r}")
        seen.add(host)
        rule = {
            "name": f"upstream {host}",
            "priority": _LATE,
            "match": {"host": host},
            "action": {"type": "upstream", "proxy": proxy},
        }
        place = f"upstream_rules: {host}"
        yield from book.read([rule], locate=lambda _, place=place: place)  # type: ignore[misc]


def _is_wildcard(rule: Rule) -> bool:
    """What names one host comes before what names many."""
    return any(pattern.literal is None for pattern in rule.match.host or ())
