"""Flows without a protocol of their own: messages in two directions, each what one read gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Generic, Self, TypeVar

from proxyfw import flow as flows
from proxyfw.connection import Client, Server
from proxyfw.flow import Flow


class Chunk:
    """Bytes that came from one side; replace `content` in the message hook to change what is forwarded."""

    __slots__ = ("content", "from_client", "timestamp")

    def __init__(self, from_client: bool, content: bytes, timestamp: float | None = None) -> None:
        if not isinstance(content, bytes):
            raise TypeError(f"content of a message must be bytes, not {type(content).__name__}: {content!r}")
        self.from_client = from_client
        self.content = content
        self.timestamp = flows.clock() if timestamp is None else timestamp

    def copy(self) -> Self:
        """An equal message."""
        return type(self)(self.from_client, self.content, self.timestamp)

    def get_state(self) -> list[Any]:
        """The message as plain data."""
        return [self.from_client, self.content, self.timestamp]

    @classmethod
    def from_state(cls, state: Iterable[Any]) -> Self:
        """A message from what `get_state` gave."""
        return cls(*state)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'->' if self.from_client else '<-'} {len(self.content)} bytes>"


C = TypeVar("C", bound=Chunk)


class ChunkFlow(Flow, Generic[C]):
    """A flow of chunks; the latest is ``flow.messages[-1]``."""

    __slots__ = ("messages",)
    _chunk: type[C]

    def __init__(self, client_conn: Client, server_conn: Server, live: bool = False) -> None:
        super().__init__(client_conn, server_conn, live)
        self.messages: list[C] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.server_conn!r} {len(getattr(self, 'messages', ()))} messages>"

    def _assign(self, other: Self) -> None:
        super()._assign(other)
        self.messages = [message.copy() for message in other.messages]

    def _facts(self) -> dict[str, Any]:
        facts = super()._facts()
        facts["messages"] = [message.get_state() for message in self.messages]
        return facts

    def _take_facts(self, facts: Mapping[str, Any]) -> None:
        super()._take_facts(facts)
        self.messages = [self._chunk.from_state(message) for message in facts["messages"]]
