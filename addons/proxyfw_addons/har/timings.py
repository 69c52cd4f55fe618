"""The phases of a flow as HAR's timings, in milliseconds, and the moments that such timings mean.

What did not happen for the request, such as the dialling of a connection that was used again, is -1. Times
are exact to a microsecond.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from proxyfw.http import HTTPFlow

Timings = dict[str, float]


class Moments(NamedTuple):
    """When what happened, in seconds since 1970; None: it did not, or nobody knows."""

    request_start: float
    request_end: float
    dial: float | None
    resolved: float | None
    connected: float | None
    secured: float | None
    response_start: float
    response_end: float


def timings_of(flow: HTTPFlow, dialled: bool) -> tuple[float, Timings]:
    """When *flow* began, and its timings; *dialled* says that its connection was made for it."""
    request, response, server = flow.request, flow.response, flow.server_conn
    asked = request.timestamp_start
    sent = _later(request.timestamp_end, asked)
    dial = server.timestamp_start if dialled and server.timestamp_tcp_setup is not None else None
    began = ready = asked
    setup = 0.0
    timings: Timings = {"blocked": -1, "dns": -1, "connect": -1, "ssl": -1}
    if dial is not None:
        began = min(asked, dial)
        connected = _later(server.timestamp_tcp_setup, dial)
        ready = _later(server.timestamp_tls_setup, connected)
        setup = ready - dial
        timings["connect"] = _ms(setup)
        if server.timestamp_tls_setup is not None:
            timings["ssl"] = _ms(ready - connected)
    ready = max(ready, sent)
    failed = flow.error.timestamp if flow.error is not None else None
    first = _later(response.timestamp_start if response is not None else failed, ready)
    last = _later(response.timestamp_end or failed if response is not None else None, first)
    send = sent - asked
    blocked = ready - began - setup - send
    if dial is not None:
        timings["blocked"] = max(_ms(blocked), 0)
    timings["send"] = max(_ms(send + min(blocked, 0)), 0)
    timings["wait"] = _ms(first - ready)
    timings["receive"] = _ms(last - first)
    return began, timings


def total(timings: Timings) -> float:
    """The time of an entry: the sum of its phases, TLS being part of the connecting."""
    return round(sum(value for name, value in timings.items() if value > 0 and name != "ssl"), 3)


def moments_of(started: float, timings: Mapping[str, Any]) -> Moments:
    """The moments that *timings* mean for an entry that *started* then. Raises ValueError."""
    phase = {name: _seconds(timings, name) for name in ("blocked", "dns", "connect", "ssl", "send", "wait")}
    sent = started + (phase["send"] or 0)
    ready = sent + (phase["blocked"] or 0)
    dial = resolved = connected = secured = None
    if phase["dns"] is not None or phase["connect"] is not None:
        dial = ready
        resolved = dial + phase["dns"] if phase["dns"] is not None else None
        ready = (resolved or dial) + (phase["connect"] or 0)
        connected = ready - (phase["ssl"] or 0)
        secured = ready if phase["ssl"] is not None else None
    first = ready + (phase["wait"] or 0)
    return Moments(
        started, sent, dial, resolved, connected, secured, first, first + (_seconds(timings, "receive") or 0)
    )


def written_time(moment: float) -> str:
    """*moment* as ISO 8601 has it, in UTC."""
    try:
        return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return "1970-01-01T00:00:00.000000Z"


def read_time(text: object) -> float:
    """The inverse of `written_time`; a time without a zone is UTC. Raises ValueError."""
    if not isinstance(text, str):
        raise ValueError(f"startedDateTime must be a date as text, not {text!r}")
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"startedDateTime is no date of ISO 8601: {text!r}") from None


def _seconds(timings: Mapping[str, Any], name: str) -> float | None:
    value = timings.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e12 < value < 1e12:
        raise ValueError(f"timings.{name} must be a number of milliseconds, not {value!r}")
    return value / 1000 if value >= 0 else None


def _later(moment: float | None, than: float) -> float:
    return than if moment is None else max(moment, than)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
