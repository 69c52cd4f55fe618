"""What an HTTP/2 connection has to say that has no place in the vocabulary of one exchange."""

from __future__ import annotations

from dataclasses import dataclass

from h2.errors import ErrorCodes

from proxyfw.protocol.events import Event

ANSWERABLE = frozenset({431, 501})
"""The statuses of `Malformed` that tell of a head which is in order, but not to our liking: answer those."""


@dataclass(slots=True)
class GoAway:
    """The peer takes no streams above *last_stream_id* and opens none. RFC 9113 section 6.8."""

    last_stream_id: int
    code: int
    reason: str


@dataclass(slots=True)
class Malformed:
    """What arrived on a stream breaks the rules. The stream is reset, unless *status* is `ANSWERABLE`."""

    reason: str
    status: int


@dataclass(slots=True)
class PingAck:
    """The answer to our `ping`."""


@dataclass(slots=True)
class Failure:
    """The connection is over, because the peer broke its rules; `Codec.take` has the GOAWAY that says so."""

    code: int
    reason: str


Fact = GoAway | Malformed | PingAck | Failure
"""What has no place in the vocabulary of one exchange. Those of the whole connection have stream id 0."""
Found = list[tuple[int, Event | Fact]]


def name_of(code: int) -> str:
    """The name of an error code. RFC 9113 section 7."""
    try:
        return ErrorCodes(code).name
    except ValueError:
        return f"error code {code:#x}"
