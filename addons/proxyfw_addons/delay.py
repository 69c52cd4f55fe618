"""Delays requests, answers or single messages: by a fixed time, one between two bounds, or one as real
networks have it (log-normal). A client that leaves meanwhile is not waited for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Annotated, Any, Literal

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.dns import DNSFlow
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.rules import Action, Duration, Hit, RuleBook, split_spec, split_words
from proxyfw.sse import ServerSentEvent
from proxyfw.tcp import TCPFlow
from proxyfw.udp import UDPFlow

_FORM = "/[filter/]delay"
_HOOKS = {
    "forwarding": ("request", "dns_request"),
    "answering": ("responseheaders", "dns_response"),
    "messages": ("websocket_message", "sse_event", "tcp_message", "udp_message"),
}
"""Where it waits, for each value of `before`."""


@dataclass
class Delay(Action):
    """Wait before the request is forwarded, the answer given, or each message passed on."""

    delay: Annotated[Duration | None, "How long."] = None
    variance: Annotated[Duration, "So much less or more, evenly distributed."] = Duration(0)  # noqa: RUF009
    median: Annotated[Duration | None, "Instead of delay: half of all wait less, half more (log-normal)."] = (
        None
    )
    sigma: Annotated[
        float, "How wide the log-normal distribution is: 0.4 is moderate, 1 has a long tail."
    ] = 0.4
    max: Annotated[Duration | None, "No wait is longer."] = None
    before: Annotated[
        Literal["forwarding", "answering", "messages"],
        "Wait with the request, with the answer, or with each message of a WebSocket, event or raw stream.",
    ] = "forwarding"

    def __post_init__(self) -> None:
        if (self.delay is None) == (self.median is None):
            raise ValueError("needs either delay, as 300ms, or median and sigma")
        if self.median is not None and self.variance:
            raise ValueError("variance belongs to delay; how wide median spreads is sigma")
        if self.delay is not None and self.variance > self.delay:
            raise ValueError(f"variance {self.variance} is more than the delay of {self.delay}")
        if not 0 <= self.sigma <= 10:
            raise ValueError(f"sigma {self.sigma:g} is not between 0 and 10")

    def acts_in(self) -> list[str]:
        """The hooks that `before` means."""
        return list(_HOOKS[self.before])

    def seconds(self, random: Random) -> float:
        """How long to wait this time."""
        if self.median is not None:
            seconds = self.median * math.exp(random.gauss(0, self.sigma))
        else:
            seconds = (self.delay or 0) + random.uniform(-self.variance, self.variance)
        return seconds if self.max is None else min(seconds, self.max)

    async def _wait(self, flow: Flow, hit: Hit) -> None:
        seconds = self.seconds(hit.random)
        hit.note(f"delayed for {seconds * 1000:.0f} ms")
        if not hit.dry:
            await flow.wait_until_gone(seconds)

    async def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Wait before the origin is asked."""
        await self._wait(flow, hit)

    async def responseheaders(self, flow: HTTPFlow, hit: Hit) -> None:
        """Wait before the client gets anything of the answer, though its body be streamed."""
        await self._wait(flow, hit)

    async def dns_request(self, flow: DNSFlow, hit: Hit) -> None:
        """Wait before a name server is asked."""
        await self._wait(flow, hit)

    async def dns_response(self, flow: DNSFlow, hit: Hit) -> None:
        """Wait before the client gets the answer."""
        await self._wait(flow, hit)

    async def websocket_message(self, flow: HTTPFlow, hit: Hit) -> None:
        """Wait with a message."""
        await self._wait(flow, hit)

    async def sse_event(self, flow: HTTPFlow, event: ServerSentEvent, hit: Hit) -> None:
        """Wait with an event."""
        await self._wait(flow, hit)

    async def tcp_message(self, flow: TCPFlow, hit: Hit) -> None:
        """Wait with what has been read."""
        await self._wait(flow, hit)

    async def udp_message(self, flow: UDPFlow, hit: Hit) -> None:
        """Wait with a datagram."""
        await self._wait(flow, hit)


class Delaying:
    """The addon: action `delay`, option `delay`."""

    name = "delay"

    def load(self, loader: Loader) -> None:
        """Declare both."""
        loader.add_action("delay", Delay)
        loader.add_option(
            "delay",
            Sequence[str],
            [],
            f"Delay what a filter matches: 300ms, or {_FORM} with fields of the action delay: "
            "/~d api.example.com/300ms variance=100ms.",
            flag="--delay",
        )

    def configure(self, updated: set[str]) -> None:
        """Make rules of the option. Raises OptionsError."""
        if "delay" in updated:
            book: RuleBook = ctx.master.addons.rules
            given = [_rule(index, spec) for index, spec in enumerate(ctx.options.delay)]
            specs = ctx.options.delay
            book.provide(self.name, book.read(given, locate=lambda where: f"delay: {specs[where[0]]!r}"))


def _rule(index: int, spec: str) -> dict[str, Any]:
    """The rule that *spec* means."""
    expression, words = ("", spec) if spec[:1].isalnum() else split_spec("delay", spec, _FORM)
    return {
        "name": f"delay[{index}]",
        "match": {"filter": expression} if expression else {},
        "action": {"type": "delay", **split_words("delay", spec, words, "delay")},
    }
