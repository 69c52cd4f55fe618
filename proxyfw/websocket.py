"""WebSocket connections as addons see them: the messages, and how the connection was closed. RFC 6455.

Records only; framing and sending are the codec's and the core's work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any

from proxyfw import flow as flows


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

    `closed_by_client` is None while it is open; `close_code` and `close_reason` are those of the closing
    frame, 1006 and ``""`` if there was none. RFC 6455 section 7.
    """

    __slots__ = ("close_code", "close_reason", "closed_by_client", "messages", "timestamp_end")

    def __init__(self) -> None:
        self.messages: list[WebSocketMessage] = []
        self.closed_by_client: bool | None = None
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self.timestamp_end: float | None = None

    def copy(self) -> WebSocketData:
        """The same, with messages of its own."""
        new = WebSocketData()
        new.messages = [message.copy() for message in self.messages]
        new.closed_by_client = self.closed_by_client
        new.close_code = self.close_code
        new.close_reason = self.close_reason
        new.timestamp_end = self.timestamp_end
        return new

    def get_state(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "messages": [message.get_state() for message in self.messages],
            "closed_by_client": self.closed_by_client,
            "close_code": self.close_code,
            "close_reason": self.close_reason,
            "timestamp_end": self.timestamp_end,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> WebSocketData:
        """A record from what `get_state` gave."""
        data = cls()
        data.messages = [WebSocketMessage.from_state(message) for message in state["messages"]]
        data.closed_by_client = state["closed_by_client"]
        data.close_code = state["close_code"]
        data.close_reason = state["close_reason"]
        data.timestamp_end = state["timestamp_end"]
        return data

    def __repr__(self) -> str:
        return f"<WebSocketData {len(self.messages)} messages>"
