"""Server-sent events as addons see them. A record; parsing and sending are the core's work."""

from __future__ import annotations


class ServerSentEvent:
    """One event of a ``text/event-stream``, held in the ``sse_event`` hook.

    *event* is its type, *data* its lines joined by ``\\n``. *id* and *retry* (milliseconds) are None where
    the event does not set them. All may be replaced; an event that nobody changes is forwarded as it came.
    WHATWG HTML section 9.2.
    """

    __slots__ = ("data", "dropped", "event", "id", "retry")

    def __init__(
        self, data: str = "", event: str = "message", id: str | None = None, retry: int | None = None
    ) -> None:
        self.data = data
        self.event = event
        self.id = id
        self.retry = retry
        self.dropped = False

    def drop(self) -> None:
        """Do not forward this event."""
        self.dropped = True

    def __repr__(self) -> str:
        return f"<ServerSentEvent {self.event!r} {len(self.data)} characters>"
