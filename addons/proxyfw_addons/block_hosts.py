"""Blocks hosts as a policy of test runs: 503, and a header that says which pattern it was, as Cypress does.

A pattern of the option is for the ports 80 and 443, unless it names another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow, Response
from proxyfw.rules import Action, Hit, RuleBook, host_key

HEADER = "x-proxyfw-matched-blocked-host"
_WITH_PORT = re.compile(r"(\[.*\]|[^:]*):([0-9]+|\*)", re.DOTALL)


@dataclass
class BlockHosts(Action):
    """Answer 503, with a header that says which pattern of a host has matched."""

    pattern: Annotated[str | None, "What the header says; if left out, the pattern in the rule's match."] = (
        None
    )
    answers = True
    early = True

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Block it."""
        pattern = self.pattern or _matched(flow, hit)
        headers = {HEADER: pattern, "Content-Type": "text/plain; charset=utf-8"}
        text = "" if flow.request.method == "HEAD" else f"blocked by proxyfw: the host matches {pattern}\n"
        flow.response = Response.make(503, text, headers)

    requestheaders = request


def _matched(flow: HTTPFlow, hit: Hit) -> str:
    host = host_key(flow.request.pretty_host)
    return next((str(each) for each in hit.rule.match.host or () if each(host)), hit.rule.name)


class BlockingHosts:
    """The addon: the action and the option `block_hosts`."""

    name = "block_hosts"

    def load(self, loader: Loader) -> None:
        """Declare them."""
        loader.add_action("block_hosts", BlockHosts)
        loader.add_option(
            "block_hosts",
            Sequence[str],
            [],
            "Answer 503 for these hosts, host[:port] with * for any run of characters.",
            flag="--block-host",
        )

    def configure(self, updated: set[str]) -> None:
        """Make rules of the patterns. Raises OptionsError."""
        if "block_hosts" in updated:
            book: RuleBook = ctx.master.addons.rules
            patterns = ctx.options.block_hosts
            rules = [_rule(index, pattern) for index, pattern in enumerate(patterns)]
            read = book.read(rules, locate=lambda where: f"block_hosts: {patterns[int(where[0])]!r}")
            book.provide(self.name, read)


def _rule(index: int, pattern: str) -> dict[str, Any]:
    """The rule that *pattern* means."""
    regex = pattern.startswith("/")
    if not pattern.strip() or ("/" in pattern and not regex):
        raise OptionsError(f"block_hosts: {pattern!r} is not a host: write host[:port] and nothing else")
    found = None if regex else _WITH_PORT.fullmatch(pattern)
    host, port = (found[1], found[2]) if found else (pattern, "")
    match: dict[str, Any] = {"host": host_key(host)}
    if port.isdigit():
        match["port"] = int(port)
    elif not port and not host.endswith("*"):
        match["port"] = [80, 443]
    return {
        "name": f"block_hosts[{index}]",
        "match": match,
        "action": {"type": "block_hosts", "pattern": pattern},
    }
