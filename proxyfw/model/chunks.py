"""Flows without a protocol of their own: messages in two directions, each what one read gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Generic, Protocol, Self, TypeVar, runtime_checkable

from proxyfw import flow as flows
from proxyfw.connection import Client, Server
from proxyfw.exceptions import ProxyfwError
from proxyfw.flow import Control, Flow

_COST = 128
"""What a message takes besides its content, about, in bytes."""


@runtime_checkable
class Injector(Control, Protocol):
    """A `Control` that can also send; set by the core."""

    def inject(self, to_client: bool, data: bytes) -> None:
        """Send *data* as if the other side had. Raises ProxyfwError if that side hears no more."""


class Chunk:
    """Bytes that came from one side; replace `content` in the message hook to change what is forwarded.

    Empty content is not forwarded. `injected` bytes were made by an addon, not by a peer.
    """

    __slots__ = ("content", "from_client", "injected", "timestamp")

    def __init__(
        self, from_client: bool, content: bytes, timestamp: float | None = None, injected: bool = False
    ) -> None:
        if not isinstance(content, bytes):
            raise TypeError(f"content of a message must be bytes, not {type(content).__name__}: {content!r}")
        self.from_client = from_client
        self.content = content
        self.timestamp = flows.clock() if timestamp is None else timestamp
        self.injected = injected

    def copy(self) -> Self:
        """An equal message."""
        return type(self)(self.from_client, self.content, self.timestamp, self.injected)

    def get_state(self) -> list[Any]:
        """The message as plain data."""
        return [self.from_client, self.content, self.timestamp, self.injected]

    @classmethod
    def from_state(cls, state: Iterable[Any]) -> Self:
        """A message from what `get_state` gave."""
        return cls(*state)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'->' if self.from_client else '<-'} {len(self.content)} bytes>"


C = TypeVar("C", bound=Chunk)


class ChunkFlow(Flow, Generic[C]):
    """A flow of chunks; the latest is ``flow.messages[-1]``.

    A flow can last for weeks, so only the latest messages are kept (option ``keep_messages``); `forgotten` is
    the number of earlier ones. `bytes_from_client` and `bytes_from_server` count all bytes that arrived, also
    where no addon looked at messages and none were kept. `timestamp_end` is None while it lasts.
    """

    __slots__ = ("_kept", "bytes_from_client", "bytes_from_server", "forgotten", "messages", "timestamp_end")
    _chunk: type[C]

    def __init__(self, client_conn: Client, server_conn: Server, live: bool = False) -> None:
        super().__init__(client_conn, server_conn, live)
        self.messages: list[C] = []
        self.forgotten = 0
        self.bytes_from_client = 0
        self.bytes_from_server = 0
        self.timestamp_end: float | None = None
        self._kept = 0

    def inject(self, to_client: bool, data: bytes) -> None:
        """Send *data* to one side, in turn with what is under way, as if the other side had sent it.

        It goes through the message hook, marked `Chunk.injected`. Call it from the proxy's own thread.
        Raises ProxyfwError if the flow is over, or that side has been told that no more comes.
        """
        if not isinstance(self.control, Injector):
            raise ProxyfwError(f"nothing can be injected into flow {self.id}: it is not under way")
        self.control.inject(to_client, data)

    def keep(self, message: C, limit: float) -> None:
        """Add *message*; forget the earliest ones when all take more than about *limit* bytes."""
        self.messages.append(message)
        self._kept += len(message.content) + _COST
        if self._kept > limit:
            self._forget(limit)

    def _forget(self, limit: float) -> None:
        """Keep three quarters of *limit*, counted anew as addons may have changed anything."""
        messages, size, first = self.messages, 0, len(self.messages)
        while first and (size + len(messages[first - 1].content) + _COST <= limit * 3 / 4 or not size):
            first -= 1
            size += len(messages[first].content) + _COST
        del messages[:first]
        self.forgotten += first
        self._kept = size

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.server_conn!r} {len(getattr(self, 'messages', ()))} messages>"

    def _assign(self, other: Self) -> None:
        super()._assign(other)
        self.messages = [message.copy() for message in other.messages]
        self._kept = other._kept
        for name in _COUNTS:
            setattr(self, name, getattr(other, name))

    def _facts(self) -> dict[str, Any]:
        facts = super()._facts()
        facts["messages"] = [message.get_state() for message in self.messages]
        for name in _COUNTS:
            facts[name] = getattr(self, name)
        return facts

    def _take_facts(self, facts: Mapping[str, Any]) -> None:
        super()._take_facts(facts)
        self.messages = [self._chunk.from_state(message) for message in facts["messages"]]
        self._kept = 0
        for name in _COUNTS:
            setattr(self, name, facts[name])


_COUNTS = ("forgotten", "bytes_from_client", "bytes_from_server", "timestamp_end")
