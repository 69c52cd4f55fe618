"""WebSocket connections as addons see them: the messages, and how the connection was closed. RFC 6455.

Records only; framing and sending are the codec's and the core's work.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from enum import IntEnum
from typing import Any, Protocol

from proxyfw import flow as flows
from proxyfw.exceptions import ProxyfwError

_COST = 200
"""What a message takes besides its content, about, in bytes."""


class Injector(Protocol):
    """What sends messages on a live connection; set by the core."""

    def inject(self, message: WebSocketMessage) -> None:
        """Send *message* as if a peer had. Raises ProxyfwError if that side hears no more."""


class Socket(Protocol):
    """The server's end of a WebSocket that an addon serves in place of an origin.

    ``async for`` gives what the client sends, str or bytes, until either side closes.
    """

    def __aiter__(self) -> AsyncIterator[str | bytes]: ...

    async def send(self, content: str | bytes) -> None:
        """Send a message, text if it is a str; once either side has closed, do nothing."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it, if it is not closed yet. Raises LocalProtocolError for a code that may not be sent."""


Serve = Callable[[Socket], Awaitable[None]]
"""Serves one WebSocket; when it returns, that is closed. It is cancelled if the client leaves before."""


class Opcode(IntEnum):
    """What a frame or message is. RFC 6455 section 5.2."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class WebSocketMessage:
    """One whole message, however many frames carried it.

    `content` is always bytes (UTF-8 for a text message) and may be replaced while the message is held in
    the ``websocket_message`` hook. `dropped` messages are not forwarded, `injected` ones did not come from
    a peer. *type* is an `Opcode` or its number.
    """

    __slots__ = ("content", "dropped", "from_client", "injected", "timestamp", "type")

    def __init__(
        self,
        type: int | Opcode,
        from_client: bool,
        content: bytes,
        timestamp: float | None = None,
        dropped: bool = False,
        injected: bool = False,
    ) -> None:
        if not isinstance(content, bytes):
            raise TypeError(
                f"content of a WebSocket message must be bytes, not {content!r}; encode text first"
            )
        self.type = Opcode(type)
        self.from_client = from_client
        self.content = content
        self.timestamp = flows.clock() if timestamp is None else timestamp
        self.dropped = dropped
        self.injected = injected

    @property
    def is_text(self) -> bool:
        """A text message, not a binary one."""
        return self.type is Opcode.TEXT

    @property
    def text(self) -> str:
        """The content of a text message; other messages have none (AttributeError)."""
        self._require_text()
        return self.content.decode("utf-8", "surrogateescape")

    @text.setter
    def text(self, text: str) -> None:
        self._require_text()
        self.content = text.encode("utf-8", "surrogateescape")

    def drop(self) -> None:
        """Do not forward this message."""
        self.dropped = True

    kill = drop

    def copy(self) -> WebSocketMessage:
        """An equal message."""
        return WebSocketMessage(
            self.type, self.from_client, self.content, self.timestamp, self.dropped, self.injected
        )

    def get_state(self) -> list[Any]:
        """The message as plain data."""
        return [self.type.value, self.from_client, self.content, self.timestamp, self.dropped, self.injected]

    @classmethod
    def from_state(cls, state: Iterable[Any]) -> WebSocketMessage:
        """A message from what `get_state` gave."""
        return cls(*state)

    def __repr__(self) -> str:
        arrow = "->" if self.from_client else "<-"
        return f"<WebSocketMessage {arrow} {self.type.name.lower()} {len(self.content)} bytes>"

    def _require_text(self) -> None:
        if not self.is_text:
            raise AttributeError(
                f"a {self.type.name.lower()} message has no text; look at is_text, use content"
            )


class WebSocketData:
    """What went over one WebSocket connection.

    A connection can last for weeks, so only the latest messages are kept (option ``keep_messages``);
    `forgotten` is the number of earlier ones.

    `closed_by_client` is None while it is open, and if the proxy closed it; `close_code` and `close_reason`
    are those of the first closing frame, 1006 and ``""`` if there was none. RFC 6455 section 7.
    """

    __slots__ = (
        "_kept",
        "close_code",
        "close_reason",
        "closed_by_client",
        "forgotten",
        "injector",
        "messages",
        "timestamp_end",
    )

    def __init__(self) -> None:
        self.messages: list[WebSocketMessage] = []
        self.forgotten = 0
        self.closed_by_client: bool | None = None
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self.timestamp_end: float | None = None
        self.injector: Injector | None = None
        self._kept = 0

    def inject(self, to_client: bool, content: bytes | str, is_text: bool | None = None) -> None:
        """Send a message of your own to one side, in turn with what is under way, as if the other had.

        It is text if *is_text* says so, or *content* is a str. It goes through the ``websocket_message`` hook
        with `WebSocketMessage.injected` set. Call it from the proxy's own thread.

        Raises ProxyfwError if the connection is closed, UnicodeError for text that is not UTF-8.
        """
        text = isinstance(content, str) if is_text is None else is_text
        data = content.encode() if isinstance(content, str) else content
        message = WebSocketMessage(Opcode.TEXT if text else Opcode.BINARY, not to_client, data, injected=True)
        if text:
            data.decode()
        if self.injector is None:
            raise ProxyfwError("nothing can be injected: the WebSocket connection is closed")
        self.injector.inject(message)

    def keep(self, message: WebSocketMessage, limit: float) -> None:
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

    def copy(self) -> WebSocketData:
        """The same, with messages of its own."""
        new = WebSocketData()
        new.messages = [message.copy() for message in self.messages]
        for name in _FACTS:
            setattr(new, name, getattr(self, name))
        return new

    def get_state(self) -> dict[str, Any]:
        """All of it as plain data."""
        state: dict[str, Any] = {"messages": [message.get_state() for message in self.messages]}
        return state | {name: getattr(self, name) for name in _FACTS}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> WebSocketData:
        """A record from what `get_state` gave."""
        data = cls()
        data.messages = [WebSocketMessage.from_state(message) for message in state["messages"]]
        for name in _FACTS:
            setattr(data, name, state[name])
        return data

    def __repr__(self) -> str:
        return f"<WebSocketData {len(self.messages)} messages>"


_FACTS = ("forgotten", "closed_by_client", "close_code", "close_reason", "timestamp_end")
