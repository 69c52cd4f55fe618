"""Blocks requests: with a status, or by ending, resetting or never answering the connection; and lists of
what is blocked and of what alone is not. Nothing that is blocked is sent anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.exceptions import OptionsError
from proxyfw.flow import Error
from proxyfw.http import HTTPFlow, Response
from proxyfw.rules import Action, Hit, Rule, RuleBook, split_spec

_FORM = "/filter/status"
_KILL = 444
"""The status that means: none. nginx began it."""
_LAST = 1000
"""Priority of what blocks the rest: whatever answers some of it should come before."""
_ALLOWED = "allowlisted"
"""The name in `metadata` of the id of a flow that is allowed: its copies, which have another, are not."""
_TEXT = {"Content-Type": "text/plain; charset=utf-8"}


@dataclass
class Block(Action):
    """Let the request go no further."""

    how: Annotated[
        Literal["status", "close", "reset", "drop"],
        "Answer with a status; close the connection without an answer; reset it; never answer.",
    ] = "status"
    status: Annotated[int, "Status of the answer."] = 403
    body: Annotated[str | None, "Text of the answer; if it is left out, one that names the rule."] = None
    answers = True
    early = True

    def __post_init__(self) -> None:
        if not 200 <= self.status <= 999:
            raise ValueError(f"status: {self.status} is no status to end with: write 200 to 999")
        if self.how != "status" and (self.status != 403 or self.body is not None):
            raise ValueError(f"how: {self.how} sends nothing: leave status and body out")

    async def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Block it."""
        if flow.metadata.get(_ALLOWED) == flow.id:
            hit.note("an allow rule has matched")
            return
        flow.metadata["blocklisted"] = True
        if self.how == "status":
            flow.response = self._answer(flow, hit)
        elif hit.dry or self.how == "drop":
            flow.error = Error(f"blocked by rule {hit.rule.name}: {self.how}")
            if not hit.dry:
                await flow.wait_until_gone()
        else:
            flow.kill(reset=self.how == "reset")

    requestheaders = request

    def _answer(self, flow: HTTPFlow, hit: Hit) -> Response:
        text = f"blocked by proxyfw, rule {hit.rule.name}\n" if self.body is None else self.body
        if not text or flow.request.method == "HEAD" or self.status in (204, 304):
            return Response.make(self.status)
        return Response.make(self.status, text, _TEXT)


@dataclass
class Allow(Action):
    """Have the block rules behind this one leave the request alone."""

    def requestheaders(self, flow: HTTPFlow, hit: Hit) -> None:
        """Nothing yet; but if it does not match, no block rule has to wait for it."""

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Note it in the flow."""
        flow.metadata[_ALLOWED] = flow.id


class Blocking:
    """The addon: actions `block` and `allow`, options `block_list` and `allow_list`."""

    name = "block"

    def load(self, loader: Loader) -> None:
        """Declare actions and options."""
        loader.add_action("block", Block)
        loader.add_action("allow", Allow)
        loader.add_option(
            "block_list",
            Sequence[str],
            [],
            f"Answer what a filter matches with a status, {_KILL} for none: {_FORM}. The first that matches.",
            flag="--block-list",
        )
        loader.add_option(
            "allow_list",
            Sequence[str],
            [],
            "Block (403) every request that none of these filters matches and no rule answers.",
            flag="--allow-list",
        )

    def configure(self, updated: set[str]) -> None:
        """Make rules of the lists. Raises OptionsError."""
        if not updated.isdisjoint({"block_list", "allow_list"}):
            book: RuleBook = ctx.master.addons.rules
            blocks = [_block(index, spec) for index, spec in enumerate(ctx.options.block_list)]
            allows = list(_only(ctx.options.allow_list))
            book.provide(self.name, [*_read(book, blocks), *_read(book, allows)])


def _read(book: RuleBook, rules: list[dict[str, Any]]) -> list[Rule]:
    return book.read(rules, locate=lambda where: rules[int(where[0])]["name"])


def _block(index: int, spec: str) -> dict[str, Any]:
    """The rule that *spec* means."""
    expression, status = split_spec("block_list", spec, _FORM)
    if not expression:
        raise OptionsError(f"block_list: {spec!r} says nothing of what to block: write {_FORM}")
    if not (status.isascii() and status.isdigit() and 200 <= int(status) <= 999):
        raise OptionsError(
            f"block_list: {status!r} in {spec!r} is not a status from 200 to 999; if {spec[0]} is in the "
            f"filter, begin the spec with another character"
        )
    answer = {"how": "reset"} if int(status) == _KILL else {"status": int(status), "body": ""}
    return {
        "name": f"block_list[{index}]",
        "match": {"filter": expression},
        "action": {"type": "block", **answer},
    }


def _only(expressions: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Rules that let pass what one of *expressions* matches, and nothing else."""
    for index, expression in enumerate(expressions):
        name = f"allow_list[{index}]"
        yield {"name": name, "priority": _LAST, "match": {"filter": expression}, "action": "allow"}
    if expressions:
        yield {"name": "allow_list", "priority": _LAST, "action": "block"}
