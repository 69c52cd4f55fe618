"""The action `fault`: instead of an answer, or in its body, what broken networks and servers do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Annotated, Literal

from proxyfw.dns import DNSFlow
from proxyfw.flow import Error, Flow, Line
from proxyfw.http import HTTPFlow, Response
from proxyfw.rules import Action, Duration, Hit, Size
from proxyfw.tcp import TCPFlow

from .lines import Break, Dribble, SlowClose

_AT_ONCE = ["request", "responseheaders", "tcp_start", "dns_request", "websocket_message", "tcp_message"]
_ANSWER = ["request", "responseheaders"]
_HOOKS = {
    "reset": _AT_ONCE, "empty": _AT_ONCE, "hang": [*_ANSWER, "dns_request"],
    "garbage": _ANSWER, "garbage_body": ["responseheaders", "response"],
    "truncate": ["responseheaders", "response"],
    "close": ["responseheaders"], "dribble": ["responseheaders"], "slow_close": ["responseheaders"],
}  # fmt: skip
_TAKES = {
    "reset": {"after"}, "close": {"after"}, "truncate": {"after"}, "garbage": {"size"},
    "dribble": {"chunks", "time"}, "slow_close": {"time"}, "hang": {"time"},
}  # fmt: skip
"""Which fields each kind has use for."""
_GARBAGE = 1024


@dataclass
class Fault(Action):
    """Break the answer, or do not give one."""

    kind: Annotated[
        Literal[
            "reset", "empty", "close", "truncate", "garbage", "garbage_body", "dribble", "slow_close", "hang"
        ],
        "Reset the connection; close it without an answer; close it in the middle of the body; end the body "
        "early as if it were whole; send bytes that are not HTTP; a body of random bytes; the body in drops; "
        "wait before the connection is closed; never answer.",
    ]
    after: Annotated[
        Size | None, "reset, close, truncate: so many bytes of the body are sent; by default half of them."
    ] = None
    size: Annotated[Size | None, "garbage: how many bytes; by default 1k."] = None
    chunks: Annotated[int | None, "dribble: into how many pieces the body is cut; by default 10."] = None
    time: Annotated[
        Duration | None,
        "dribble: how long all of it takes; slow_close: the wait; both 5s by default. hang: the connection "
        "is closed then; by default never.",
    ] = None

    def __post_init__(self) -> None:
        given = {name for name in ("after", "size", "chunks", "time") if getattr(self, name) is not None}
        for name in sorted(given - _TAKES.get(self.kind, set())):
            raise ValueError(f"{name} means nothing to {self.kind}")
        if self.chunks is not None and self.chunks < 1:
            raise ValueError(f"chunks: {self.chunks} is not 1 or more")

    @property
    def answers(self) -> bool:
        """Whether nothing that comes later can answer."""
        return "request" in self.acts_in()

    def acts_in(self) -> list[str]:
        """The hooks that this kind needs."""
        mid_body = self.kind == "reset" and self.after is not None
        return list(_HOOKS["close" if mid_body else self.kind])

    # Instead of an answer

    async def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Do it before the origin is asked."""
        await self._instead(flow, hit)

    async def responseheaders(self, flow: HTTPFlow, hit: Hit) -> None:
        """Do it to the answer; or instead of it, where the match asks about the answer."""
        response = flow.response
        if "request" in self.acts_in():
            await self._instead(flow, hit)
        elif hit.dry or response is None or response.status_code == 101:
            return  # what follows a 101 are messages
        elif not self._changes_body:
            hit.note(self.kind)
            flow.line = self._line(flow, response)
        elif response.stream:
            self._stream(response, hit)

    async def tcp_start(self, flow: TCPFlow, hit: Hit) -> None:
        """Do it as soon as the raw stream begins."""
        await self._instead(flow, hit)

    async def tcp_message(self, flow: TCPFlow, hit: Hit) -> None:
        """Do it when such a message comes."""
        await self._instead(flow, hit)

    async def websocket_message(self, flow: HTTPFlow, hit: Hit) -> None:
        """Do it when such a message comes."""
        await self._instead(flow, hit)

    async def dns_request(self, flow: DNSFlow, hit: Hit) -> None:
        """Give no answer."""
        await self._instead(flow, hit)

    async def _instead(self, flow: Flow, hit: Hit) -> None:
        hit.note(self.kind)
        if hit.dry:
            flow.error = Error(f"fault {self.kind}, rule {hit.rule.name}")
        elif self.kind == "garbage" and isinstance(flow, HTTPFlow):
            flow.answer_raw(hit.random.randbytes(_GARBAGE if self.size is None else self.size))
            flow.error = Error("answered with garbage")
        elif self.kind != "hang":
            flow.kill(reset=self.kind == "reset")
        elif not await flow.wait_until_gone(inf if self.time is None else self.time):
            flow.kill(reset=False)

    # Bodies

    @property
    def _changes_body(self) -> bool:
        return self.kind in ("truncate", "garbage_body")

    def response(self, flow: HTTPFlow, hit: Hit) -> None:
        """Change the body, which is here; one that is streamed has been dealt with."""
        response = flow.response
        if response is None or response.stream or not response.raw_content:
            return
        hit.note(self.kind)
        body = response.raw_content
        if self.kind == "garbage_body":
            response.raw_content = hit.random.randbytes(len(body))
        else:
            response.raw_content = body[: self._share(len(body))]
            if "content-length" in response.headers:
                response.headers["content-length"] = str(len(response.raw_content))

    def _stream(self, response: Response, hit: Hit) -> None:
        """Change the body as it passes."""
        hit.note(self.kind)
        if self.kind == "garbage_body":
            response.stream = lambda piece: hit.random.randbytes(len(piece))
            return
        response.stream = _first(self._share(_declared(response)) or 0)

    def _share(self, size: int | None) -> int | None:
        """How many bytes of a body of *size* are sent; None, as is *size*, if that is not known."""
        return self.after if self.after is not None else size and size // 2

    def _line(self, flow: HTTPFlow, response: Response) -> Line:
        size = len(response.raw_content or b"") or _declared(response)
        seconds = 5.0 if self.time is None else float(self.time)
        if self.kind == "dribble":
            return Dribble(flow, size, self.chunks or 10, seconds)
        if self.kind == "slow_close":
            return SlowClose(flow, seconds)
        return Break(flow, self._share(size), self.kind == "reset")


def _declared(response: Response) -> int | None:
    text = response.headers.get("content-length", "")
    return int(text) if text.isdecimal() else None


def _first(size: int) -> Callable[[bytes], bytes]:
    """A stream function that lets the first *size* bytes pass."""
    left = size

    def cut(piece: bytes) -> bytes:
        nonlocal left
        piece = piece[:left]
        left -= len(piece)
        return piece

    return cut
