"""The flow: one exchange, from the moment it is known until it is over, whatever protocol carries it.

It holds facts and marks. It knows no event loop: what must act at once goes through `Flow.control`.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, ClassVar, Final, Literal, NamedTuple, Protocol, Self

from proxyfw.connection import Client, Server
from proxyfw.exceptions import ProxyfwError
from proxyfw.model.plain import plain
from proxyfw.model.trace import Trace

STATE_VERSION: Final = 1

clock: Callable[[], float] = time.time
"""The time, in seconds since 1970; replace it in tests."""

new_id: Callable[[], str] = lambda: str(uuid.uuid4())  # noqa: E731  # a value that tests replace
"""Makes the ids of flows."""


class Error:
    """Why a flow failed: a message for people, and when."""

    KILLED_MESSAGE: Final = "Connection killed."

    __slots__ = ("msg", "timestamp")

    def __init__(self, msg: str, timestamp: float | None = None) -> None:
        self.msg = msg
        self.timestamp = clock() if timestamp is None else timestamp

    def copy(self) -> Error:
        """An equal error."""
        return Error(self.msg, self.timestamp)

    def get_state(self) -> dict[str, Any]:
        """The error as plain data."""
        return {"msg": self.msg, "timestamp": self.timestamp}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Error:
        """An error from what `get_state` gave."""
        return cls(state["msg"], state["timestamp"])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Error):
            return NotImplemented
        return self.msg == other.msg and self.timestamp == other.timestamp

    def __hash__(self) -> int:
        return hash((self.msg, self.timestamp))

    def __str__(self) -> str:
        return self.msg

    def __repr__(self) -> str:
        return f"Error({self.msg!r}, {self.timestamp!r})"


class Control(Protocol):
    """How a live flow reaches whoever carries it; set by the core."""

    @property
    def over(self) -> bool:
        """There is nobody left to do anything for."""

    def kill(self, reset: bool = True) -> None:
        """Close both sides at once: broken off, or without *reset* the client's in an orderly way."""

    def resume(self) -> None:
        """Wake those who wait for the flow to be resumed."""

    async def wait_for_resume(self) -> None:
        """Return when the flow is resumed or killed."""

    async def wait_until_over(self, seconds: float) -> bool:
        """Return when it is `over`, or after *seconds*; whether it is."""


class Line(Protocol):
    """When, and how many, bytes of a flow go on; what an addon sets as `Flow.line` before they do."""

    async def take(self, to_client: bool, size: int) -> int:
        """Wait until some of *size* bytes may go; return how many: 1 or more.

        Return within about a second, so that it is noticed if there is nobody left to send to. Where an
        answer or a raw stream is carried, ConnectionProblem may be raised: it is broken off then.
        """

    async def end(self, to_client: bool) -> None:
        """Wait, if you like, after all has been sent, before the connection may be closed."""


class Terms(NamedTuple):
    """How a flow is held: for how many seconds at most (0: for ever), what *then* becomes of it, *by* whom.

    None leaves it to whoever looks after held flows.
    """

    timeout: float | None = None
    then: Literal["resume", "kill"] | None = None
    by: str = ""


class Pause:
    """A *flow* that is held after *hook*, the name of one, since then (seconds since 1970).

    `timeout`, `then` and `by` are what `Flow.intercept` was told. `ended` is ``""`` while it lasts, then
    ``"resumed"``, ``"killed"``, or ``"gone"`` if nobody is left to hold it for; who resumes it for a reason
    of his own may have put that there.
    """

    __slots__ = ("by", "ended", "flow", "hook", "since", "then", "timeout")

    def __init__(self, flow: Flow, hook: str) -> None:
        self.flow = flow
        self.hook = hook
        self.since = clock()
        self.ended = ""
        self.timeout, self.then, self.by = flow._terms

    def get_state(self) -> dict[str, Any]:
        """The pause as plain data, with the flow's id."""
        state = {name: getattr(self, name) for name in self.__slots__ if name != "flow"}
        return {"flow": self.flow.id} | state

    def __repr__(self) -> str:
        return f"<Pause after {self.hook} of {self.flow!r}>"


_NO_TERMS: Final = Terms()
_kinds: dict[str, type[Flow]] = {}


class Flow:
    """What flows of all protocols have in common.

    *live* says that the flow is under way and can still be changed on the wire. `marked` is ``""`` or a
    marker, `comment` free text, `is_replay` ``"request"``, ``"response"`` or None, `error` why it failed,
    `trace` what rules did, None if there were none, `line` what paces it on the wire, or None, `copied_from`
    the id of the flow that this is a `copy` of, as long as nothing has come of it.
    """

    type: ClassVar[str] = ""

    __slots__ = (
        "__weakref__",
        "_addon_errors",
        "_backup",
        "_id",
        "_metadata",
        "_terms",
        "client_conn",
        "comment",
        "control",
        "copied_from",
        "error",
        "intercepted",
        "is_replay",
        "line",
        "live",
        "marked",
        "server_conn",
        "timestamp_created",
        "trace",
    )

    def __init__(self, client_conn: Client, server_conn: Server, live: bool = False) -> None:
        self.client_conn = client_conn
        self.server_conn = server_conn
        self.live = live
        self.timestamp_created = clock()
        self.control: Control | None = None
        self.copied_from: str | None = None
        self.error: Error | None = None
        self.intercepted = False
        self.marked = ""
        self.comment = ""
        self.is_replay: str | None = None
        self._id: str | None = None
        self._metadata: dict[str, Any] | None = None
        self._addon_errors: list[str] | None = None
        self._backup: Flow | None = None
        self._terms = _NO_TERMS
        self.trace: Trace | None = None
        self.line: Line | None = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "type" in vars(cls):
            _kinds[cls.type] = cls

    @property
    def id(self) -> str:
        """Names this flow; made when first read."""
        if self._id is None:
            self._id = new_id()
        return self._id

    @id.setter
    def id(self, value: str) -> None:
        self._id = value

    @property
    def metadata(self) -> dict[str, Any]:
        """Notes of addons to themselves and each other; plain data in it is saved with the flow."""
        if self._metadata is None:
            self._metadata = {}
        return self._metadata

    @metadata.setter
    def metadata(self, value: dict[str, Any]) -> None:
        self._metadata = value

    @property
    def addon_errors(self) -> list[str]:
        """What went wrong in addons while they handled this flow, one line each."""
        if self._addon_errors is None:
            self._addon_errors = []
        return self._addon_errors

    @property
    def timestamp_start(self) -> float:
        """When the exchange began."""
        return self.timestamp_created

    @property
    def killable(self) -> bool:
        """There is something under way to be killed."""
        return self.live and not self._killed

    @property
    def _killed(self) -> bool:
        return self.error is not None and self.error.msg == Error.KILLED_MESSAGE

    def kill(self, reset: bool = True) -> None:
        """Stop the exchange now: both sides are closed, nothing more is sent. Killing twice is no mistake.

        The client sees a reset; without *reset* it gets what has been sent so far, and then the connection
        ends in an orderly way. Raises ProxyfwError if the flow is not live.
        """
        if self._killed:
            return
        if not self.live:
            raise ProxyfwError(f"flow {self.id} cannot be killed: it is over; look at flow.killable first")
        self.error = Error(Error.KILLED_MESSAGE)
        self.intercepted = False
        self.live = False
        if self.control is not None:
            self.control.kill(reset)

    def intercept(
        self, timeout: float | None = None, then: Literal["resume", "kill"] | None = None, by: str = ""
    ) -> None:
        """Hold the flow at the end of the present hook until `resume`.

        After *timeout* seconds (0 is never) it is resumed or killed, as *then* says; where that is left out,
        by ``intercept_timeout`` and ``intercept_timeout_action``. *by*: who holds it, for people. What is
        held already stays so on the terms of the first.
        """
        if not self.intercepted:
            self.intercepted = True
            self._terms = Terms(timeout, then, by)

    def resume(self) -> None:
        """Let an intercepted flow go on."""
        if self.intercepted:
            self.intercepted = False
            self._terms = _NO_TERMS
            if self.control is not None:
                self.control.resume()

    async def wait_for_resume(self) -> None:
        """Wait while the flow is intercepted; a flow that is not live does not wait."""
        while self.intercepted and self.control is not None:
            await self.control.wait_for_resume()

    async def wait_until_gone(self, seconds: float = inf) -> bool:
        """Wait until nobody waits for the flow any more: the client has left, or the flow was killed.

        No longer than *seconds*; whether it has come to that. Where an addon only wants to let time pass,
        this is what to wait with: what a client who leaves has occupied is free at once.
        """
        return self.control is None or await self.control.wait_until_over(seconds)

    def backup(self, force: bool = False) -> None:
        """Remember the flow as it is, for `revert`; an earlier backup stays, unless *force* replaces it."""
        if self._backup is None or force:
            self._backup = self._twin()

    def revert(self) -> None:
        """Go back to the backup, if there is one; request and response stay the same objects."""
        if self._backup is not None:
            self._assign(self._backup)
            self._backup = None

    def modified(self) -> bool:
        """The flow differs from its backup."""
        return self._backup is not None and self._facts() != self._backup._facts()

    def copy(self) -> Self:
        """A flow of its own with the same content and connections' facts, a new id, not live."""
        new = self._twin()
        new.copied_from = self.id
        new.client_conn = self.client_conn.copy()
        new.server_conn = self.server_conn.copy()
        return new

    def get_state(self) -> dict[str, Any]:
        """All that is worth saving, as dicts, lists, str, bytes, numbers, bools and None.

        Of `metadata` only the plain entries; addon errors and *live* are of this process only.
        """
        state = self._facts()
        state["version"] = STATE_VERSION
        state["type"] = self.type
        state["id"] = self.id
        state["intercepted"] = self.intercepted
        state["client_conn"] = self.client_conn.get_state()
        state["server_conn"] = self.server_conn.get_state()
        state["backup"] = self._backup._facts() if self._backup is not None else None
        state["trace"] = self.trace.get_state() if self.trace is not None else None
        return state

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `get_state` gave. Raises ValueError for another type or a newer version."""
        self._check(state)
        self._take_facts(state)
        self._id = state["id"]
        self.intercepted = state["intercepted"]
        self.client_conn = Client.from_state(state["client_conn"])
        self.server_conn = Server.from_state(state["server_conn"])
        trace = state.get("trace")
        self.trace = Trace.from_state(trace) if trace else None
        self._backup = None
        if state["backup"] is not None:
            self._backup = self._twin()
            self._backup._take_facts(state["backup"])

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """A flow from what `get_state` gave, of the class its type names. Raises as `set_state` does."""
        kind = _kinds.get(state["type"])
        if kind is None or not issubclass(kind, cls):
            known = ", ".join(sorted(_kinds))
            raise ValueError(
                f"no flow of type {state['type']!r} can be read as {cls.__name__}; known: {known}"
            )
        flow = kind.__new__(kind)
        flow._reset()
        flow.set_state(state)
        return flow

    def _check(self, state: Mapping[str, Any]) -> None:
        if state["type"] != self.type:
            raise ValueError(f"state of a {state['type']} flow cannot be taken over by a {self.type} flow")
        if state["version"] > STATE_VERSION:
            raise ValueError(
                f"flow was saved by a newer proxyfw (version {state['version']} > {STATE_VERSION})"
            )

    def _reset(self) -> None:
        self._id = None
        self.live = False
        self.control = None
        self.copied_from = None
        self._addon_errors = None
        self._backup = None
        self._terms = _NO_TERMS
        self.trace = None
        self.line = None

    def _twin(self) -> Self:
        new = type(self).__new__(type(self))
        new._reset()
        new._assign(self)
        new.intercepted = False
        return new

    def _assign(self, other: Self) -> None:
        """Take over *other*'s facts, without sharing what can be edited."""
        self.client_conn = other.client_conn
        self.server_conn = other.server_conn
        self.timestamp_created = other.timestamp_created
        self.error = other.error.copy() if other.error is not None else None
        self.marked = other.marked
        self.comment = other.comment
        self.is_replay = other.is_replay
        self._metadata = dict(other._metadata) if other._metadata else None

    def _facts(self) -> dict[str, Any]:
        return {
            "timestamp_created": self.timestamp_created,
            "error": self.error.get_state() if self.error is not None else None,
            "marked": self.marked,
            "comment": self.comment,
            "is_replay": self.is_replay,
            "metadata": plain(self._metadata or {}),
        }

    def _take_facts(self, facts: Mapping[str, Any]) -> None:
        self.timestamp_created = facts["timestamp_created"]
        self.error = Error.from_state(facts["error"]) if facts["error"] else None
        self.marked = facts["marked"]
        self.comment = facts["comment"]
        self.is_replay = facts["is_replay"]
        self._metadata = plain(facts["metadata"]) or None
