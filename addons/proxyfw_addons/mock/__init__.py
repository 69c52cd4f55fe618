"""Answers requests in place of their origin, which is never asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow, Response
from proxyfw.rules import Action, Hit, RuleBook, split_spec

from .answer import Answer

_FORM = "/[filter/]url-regex/[@]body"


@dataclass
class Mock(Answer, Action):
    """Answer, without the origin."""

    sequence: Annotated[list[Answer], "Several answers instead, for the first request, the second…"] = field(
        default_factory=list
    )
    after: Annotated[
        Literal["last", "loop", "origin"],
        "When all of the sequence have been given: the last again, or all again, or leave it to the origin.",
    ] = "last"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sequence and (given := self.given()):
            raise ValueError(f"{given[0]}: with a sequence, write it in each answer of that")
        if not self.sequence and self.after != "last":
            raise ValueError(f"after: {self.after} says what comes after a sequence, and there is none")

    @property
    def answers(self) -> bool:
        """Whether it always does."""
        return self.after != "origin"

    async def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Answer. If that fails, the client is told so with status 500."""
        answer = self._turn(hit.number - 1)
        if answer is None:
            hit.note("all of its sequence has been given")
            return
        if answer.delay and not hit.dry:
            await flow.wait_until_gone(answer.delay)
        if flow.error is not None:
            return
        try:
            response = await answer.made_for(flow, hit)
        except Exception as problem:  # whatever it is, the origin is not asked
            flow.response = _refusal(500, f"mock, rule {hit.rule.name}: {problem}")
            raise
        if 200 <= response.status_code < 300 and _opens_websocket(flow):
            reason = "cannot open a WebSocket: use the action websocket_mock"
            response = _refusal(501, f"mock, rule {hit.rule.name}: {reason}")
        flow.response = response

    def _turn(self, index: int) -> Answer | None:
        """The answer for the request *index*, counted from 0."""
        if not self.sequence:
            return self
        if self.after == "loop":
            return self.sequence[index % len(self.sequence)]
        if index < len(self.sequence):
            return self.sequence[index]
        return self.sequence[-1] if self.after == "last" else None


def _opens_websocket(flow: HTTPFlow) -> bool:
    return flow.request.headers.get("upgrade", "").lower() == "websocket"


def _refusal(status: int, text: str) -> Response:
    return Response.make(status, f"{text}\n", {"Content-Type": "text/plain; charset=utf-8"})


class Mocking:
    """The addon: the action and the option `mock`."""

    name = "mock"

    def load(self, loader: Loader) -> None:
        """Declare them."""
        loader.add_action("mock", Mock)
        loader.add_option(
            "mock",
            Sequence[str],
            [],
            f"Answer with a body, or that of a file, without the origin: {_FORM}.",
            flag="--mock",
        )

    def configure(self, updated: set[str]) -> None:
        """Make rules of the specs. Raises OptionsError."""
        if "mock" in updated:
            book: RuleBook = ctx.master.addons.rules
            specs = ctx.options.mock
            rules = [_rule(index, spec) for index, spec in enumerate(specs)]
            book.provide(self.name, book.read(rules, locate=lambda where: f"mock: {specs[int(where[0])]!r}"))


def _rule(index: int, spec: str) -> dict[str, Any]:
    """The rule that *spec* means."""
    expression, regex, body = split_spec("mock", spec, _FORM)
    if not regex:
        raise OptionsError(f"mock: {spec!r} has no url-regex: write {_FORM}")
    match = {"url": f"/{regex}/", **({"filter": expression} if expression else {})}
    answer = {"body_file": body[1:]} if body.startswith("@") else {"body": body}
    return {"name": f"mock[{index}]", "match": match, "action": {"type": "mock", **answer}}
