"""Commands about flows: resume, kill, answer, mark, comment, edit, encode and revert them."""

from __future__ import annotations

from collections.abc import Sequence

from proxyfw import ctx, hookspecs, types
from proxyfw.command import argument, command
from proxyfw.exceptions import CommandError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow, Response

from . import editing


class Flows:
    """The commands ``flow.…``; without hooks, so that they cost nothing."""

    @command("flow.resume")
    def resume(self, flows: Sequence[Flow]) -> None:
        """Let intercepted flows go on. It is an error if none of them is intercepted."""
        held = [flow for flow in flows if flow.intercepted]
        if flows and not held:
            raise CommandError(f"{_named(flows)} not intercepted: nothing to resume")
        for flow in held:
            flow.resume()
        _updated(held)

    @command("flow.kill")
    def kill(self, flows: Sequence[Flow]) -> None:
        """Break flows off: both sides are closed at once. It is an error if all of them are over."""
        alive = [flow for flow in flows if flow.killable]
        if flows and not alive:
            raise CommandError(f"{_named(flows)} over: nothing to kill")
        for flow in alive:
            flow.kill()
        _updated(alive)

    @command("flow.respond")
    def respond(self, flows: Sequence[HTTPFlow], status_code: int, body: bytes = b"", *headers: str) -> None:
        """Answer intercepted flows and let them go on; headers are written as 'Name: value'.

        Held before the request has left, they never reach the origin; held later, its response is replaced.
        """
        fields = [editing.header(text) for text in headers]
        held = [flow for flow in flows if flow.intercepted]
        if not held:
            raise CommandError(f"{_named(flows)} not intercepted: there is nobody to answer")
        for flow in held:
            flow.response = Response.make(status_code, body, fields)
            flow.resume()
        _updated(held)

    @command("flow.mark")
    def mark(self, flows: Sequence[Flow], marker: types.Marker) -> None:
        """Mark flows, with any text; an empty one takes the mark away."""
        for flow in flows:
            flow.marked = str(marker)
        _updated(flows)

    @command("flow.mark.toggle")
    def mark_toggle(self, flows: Sequence[Flow]) -> None:
        """Mark what is not marked, and the reverse."""
        for flow in flows:
            flow.marked = "" if flow.marked else ":default:"
        _updated(flows)

    @command("flow.comment")
    def comment(self, flows: Sequence[Flow], comment: str) -> None:
        """Attach a comment to flows."""
        for flow in flows:
            flow.comment = comment
        _updated(flows)

    @command("flow.revert")
    def revert(self, flows: Sequence[Flow]) -> None:
        """Undo what commands have changed in flows."""
        changed = [flow for flow in flows if flow.modified()]
        for flow in changed:
            flow.revert()
        _updated(changed)

    @command("flow.set")
    @argument("attr", type=types.Choice("flow.set.options"))
    def set(self, flows: Sequence[HTTPFlow], attr: str, value: str) -> None:
        """Set an attribute of requests or responses: `flow.set.options` lists them.

        The value for ``header`` and ``response_header`` is 'Name: value'; without a value the header goes.
        """
        for flow in flows:
            flow.backup()
            editing.edit(flow, attr, value)
        _updated(flows)

    @command("flow.set.options")
    def set_options(self) -> Sequence[str]:
        """What `flow.set` can set."""
        return list(editing.ATTRIBUTES)

    @command("flow.encode")
    @argument("part", type=types.Choice("flow.parts"))
    @argument("encoding", type=types.Choice("flow.encode.options"))
    def encode(self, flows: Sequence[HTTPFlow], part: str, encoding: str) -> None:
        """Encode the bodies of requests or responses that are not encoded yet."""
        for message, flow in editing.messages(flows, part):
            if message.headers.get("content-encoding", "identity") == "identity":
                flow.backup()
                editing.encode(message, encoding)
        _updated(flows)

    @command("flow.decode")
    @argument("part", type=types.Choice("flow.parts"))
    def decode(self, flows: Sequence[HTTPFlow], part: str) -> None:
        """Decode the bodies of requests or responses."""
        for message, flow in editing.messages(flows, part):
            flow.backup()
            editing.decode(message)
        _updated(flows)

    @command("flow.encode.toggle")
    @argument("part", type=types.Choice("flow.parts"))
    def encode_toggle(self, flows: Sequence[HTTPFlow], part: str) -> None:
        """Decode bodies that are encoded, and encode the others with deflate."""
        for message, flow in editing.messages(flows, part):
            flow.backup()
            if message.headers.get("content-encoding", "identity") == "identity":
                editing.encode(message, "deflate")
            else:
                editing.decode(message)
        _updated(flows)

    @command("flow.encode.options")
    def encode_options(self) -> Sequence[str]:
        """The encodings that `flow.encode` knows."""
        return list(editing.ENCODINGS)

    @command("flow.parts")
    def parts(self) -> Sequence[str]:
        """The parts of a flow that have a body."""
        return list(editing.PARTS)


def _updated(flows: Sequence[Flow]) -> None:
    if flows:
        ctx.master.addons.trigger(hookspecs.update, list(flows))


def _named(flows: Sequence[Flow]) -> str:
    return f"flow {flows[0].id} is" if len(flows) == 1 else f"none of {len(flows)} flows is"
