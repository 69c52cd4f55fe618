"""Breakpoints: rules that hold requests, responses and messages until somebody lets them go on.

Holding is the proxy's, and the list, the commands and the time-out are those of the addon `intercept`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from proxyfw import ctx, hookspecs
from proxyfw.addonmanager import Loader
from proxyfw.exceptions import OptionsError, ProxyfwError
from proxyfw.flow import Flow
from proxyfw.options import Duration
from proxyfw.rules import Action, Hit, Match, Rule

At = Literal["request", "response", "both", "headers", "requestheaders", "responseheaders", "message"]

_HOOKS: dict[str, tuple[str, ...]] = {
    "request": ("request", "dns_request"),
    "response": ("response", "dns_response"),
    "both": ("request", "dns_request", "response", "dns_response"),
    "headers": ("requestheaders", "responseheaders"),
    "requestheaders": ("requestheaders",),
    "responseheaders": ("responseheaders",),
    "message": ("websocket_message", "sse_event", "tcp_message", "udp_message"),
}
_THEN: dict[str | None, Literal["resume", "kill"] | None] = {
    None: None, "continue": "resume", "abort": "kill"
}  # fmt: skip
_FORM = "/filter[/at[/timeout[/continue or abort]]]"


@dataclass
class Breakpoint(Action):
    """Hold the flow until somebody resumes, edits, answers or kills it, or its time runs out."""

    at: Annotated[
        list[At],
        "Where: `request`, `response` or `both`, with their bodies; `headers` (or only `requestheaders`, "
        "`responseheaders`) before the body; `message`: each message or event that the match means.",
    ] = field(default_factory=lambda: ["request"])
    timeout: Annotated[
        Duration | None, "How long at most; `0s` is for ever. Left out: the option `intercept_timeout`."
    ] = None
    then: Annotated[
        Literal["continue", "abort"] | None,
        "What happens after that. Left out: the option `intercept_timeout_action`.",
    ] = None

    def __post_init__(self) -> None:
        if not self.at:
            raise ValueError("at: is an empty list, so that nothing is ever held")
        self._hooks = {hook for place in self.at for hook in _HOOKS[place]}

    def acts_in(self) -> list[str]:
        """The hooks that `at` names."""
        return [hook for hook in self.hooks() if hook in self._hooks]

    def request(self, flow: Flow, hit: Hit) -> None:
        """Hold the flow after this hook."""
        if hit.dry:
            hit.note("would be held here")
        elif not ctx.master.addons.wants(hookspecs.flow_paused):
            raise ProxyfwError("nothing is held, as nobody would let it go on: load the addon intercept")
        elif not flow.is_replay:
            flow.intercept(self.timeout, _THEN[self.then], f"breakpoint {hit.rule.name}")

    response = requestheaders = responseheaders = dns_request = dns_response = request
    websocket_message = tcp_message = udp_message = request

    def sse_event(self, flow: Flow, event: object, hit: Hit) -> None:
        """Hold the stream after this event."""
        self.request(flow, hit)


class Breakpoints:
    """The rule action `breakpoint`, and the option `breakpoints`."""

    def load(self, loader: Loader) -> None:
        """Declare the option, and offer the action."""
        loader.add_option("breakpoints", Sequence[str], [], f"Hold such flows: {_FORM}.", flag="--breakpoint")
        loader.add_action("breakpoint", Breakpoint)

    def configure(self, updated: set[str]) -> None:
        """Make rules of the option. Raises OptionsError."""
        if "breakpoints" in updated:
            rules = [_rule(text, number) for number, text in enumerate(ctx.options.breakpoints)]
            ctx.master.addons.rules.provide("breakpoint", rules)


def _rule(text: str, number: int) -> Rule:
    place = f"breakpoints[{number}]"
    try:
        match, action = _parsed(text)
    except (ValueError, OptionsError) as problem:
        reason = str(problem)
        raise OptionsError(f"{place}: {text!r}: {reason}; write {_FORM}, as '/~m POST/both/10s'") from None
    return Rule(text, match, (action,), place=place)


def _parsed(text: str) -> tuple[Match, Breakpoint]:
    """What *text* says. Raises ValueError (FilterError, too), OptionsError."""
    if len(text) < 2 or text[0].isalnum() or text[0] in "~!(\"' ":
        raise ValueError("its first character must be one that separates its parts")
    wanted, *rest = text[1:].removesuffix(text[0]).split(text[0])
    if len(rest) > 3:
        raise ValueError("there are too many parts: begin with a character that the filter does not have")
    return Match(filter=_filter(wanted)), Breakpoint(**dict(_settings(rest)))


def _settings(parts: Sequence[str]) -> Iterator[tuple[str, Any]]:
    for name, text in zip(("at", "timeout", "then"), parts, strict=False):
        if not text:
            continue
        if name == "timeout":
            yield name, Duration(text)
        else:
            choices = list(_HOOKS) if name == "at" else ["continue", "abort"]
            if text not in choices:
                raise ValueError(f"{text!r} is none of {', '.join(choices)}")
            yield name, [text] if name == "at" else text


def _filter(text: str) -> Any:
    if not text:
        return None
    from proxyfw import flowfilter  # its operators are many, and most proxies have no such option

    return flowfilter.parse(text)
