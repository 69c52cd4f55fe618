"""Records traffic in a database while it passes; what is recorded is found again by filters and words.

Without the option ``store`` it has no hook, and neither peewee nor anything of this folder is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.command import argument, command
from proxyfw.exceptions import CommandError, OptionsError
from proxyfw.flow import Flow
from proxyfw.options import Duration, Size
from proxyfw.types import Choice

if TYPE_CHECKING:
    from .recorder import Recorder

COLOURS = ("gray", "red", "orange", "yellow", "green", "blue", "purple")
_HOOKS = (
    "flow_end", "websocket_start", "websocket_message", "tcp_start", "tcp_message", "udp_start",
    "udp_message", "sse_event",
)  # fmt: skip


class Storage:
    """The options ``store…``, the commands ``sessions.…`` and ``flow.annotate``; a `FlowSource`."""

    def __init__(self) -> None:
        self._recorder: Recorder | None = None
        self._running = False

    def load(self, loader: Loader) -> None:
        """Declare the options, and offer what is stored to commands."""
        add = loader.add_option
        add(
            "store",
            str | None,
            None,
            "Record in this SQLite file, or postgresql:// database.",
            flag="--store",
        )
        add("store_session", str | None, None, "Record to this session, which is made if need be.")
        add("store_body_limit", Size, Size("10m"), "Of each body or message, record so much at most.")
        add("store_max_age", Duration | None, None, "Keep flows no longer than that.")
        add("store_max_size", Size | None, None, "Keep no more than that, the latest.")
        add("store_max_flows", int | None, None, "Keep no more flows than that, the latest.")
        add(
            "store_when_slow", str, "wait", "If the disk is slower than traffic: slow traffic down, or record"
            " flows without bodies.", choices=("wait", "drop_bodies"),
        )  # fmt: skip
        loader.add_flow_source(self)

    def configure(self, updated: set[str]) -> None:
        """Begin to record elsewhere, or to other limits."""
        options = ctx.options
        if options.store_max_flows is not None and options.store_max_flows < 1:
            raise OptionsError("store_max_flows: at least one is kept; to record nothing, leave out store")
        if options.store is not None and not options.store.strip():
            raise OptionsError("store: name a file, as in store=traffic.db, or a postgresql:// database")
        if updated & {"store", "store_session"}:
            if options.store is not None:
                from . import recorder

                recorder.check(options.store, options.store_session)
            if self._running:
                self._restart()
        elif self._recorder is not None:
            self._recorder.limit(options)

    def running(self) -> None:
        """Traffic may come."""
        self._running = True
        self._restart()

    async def done(self) -> None:
        """Write all that is left."""
        self._running = False
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            await recorder.close()

    def _restart(self) -> None:
        before, self._recorder = self._recorder, None
        if before is not None:
            before.close_now()
        for hook in _HOOKS:
            self.__dict__.pop(hook, None)
        if ctx.options.store is not None:
            from .recorder import Recorder

            self._recorder = Recorder(ctx.master)
            for hook in _HOOKS:
                setattr(self, hook, getattr(self._recorder, hook))
        if before is not None or self._recorder is not None:
            ctx.master.addons.refresh(self)

    @property
    def recorder(self) -> Recorder:
        """Who records. Raises CommandError if nobody does."""
        if self._recorder is None:
            raise CommandError(
                "nothing is recorded: set the option store to a file, as in --store traffic.db"
            )
        return self._recorder

    # What is stored, for commands

    def flows(self) -> Iterable[Flow]:
        """The flows of the active session, the oldest first."""
        return self._recorder.flows() if self._recorder is not None else ()

    def flow(self, id: str) -> Flow | None:
        """The flow with this id, if it is stored."""
        return self._recorder.flow(id) if self._recorder is not None else None

    @command("sessions.list")
    async def list_sessions(self) -> Sequence[Any]:
        """All sessions: name, whether it is active and recording, numbers of flows and bytes."""
        from . import sessions

        found: list[Any] = await self.recorder.do(sessions.all_of)
        return found

    @command("sessions.new")
    async def new_session(self, name: str) -> None:
        """Make a session, and record to it from now on."""
        from . import sessions

        await self.recorder.do(lambda made: sessions.begin(made, name))

    @command("sessions.use")
    async def use_session(self, name: str) -> None:
        """Record to another session from now on."""
        from . import sessions

        await self.recorder.do(lambda made: sessions.use(made, name))

    @command("sessions.rename")
    async def rename_session(self, name: str, new_name: str) -> None:
        """Give a session another name."""
        from . import sessions

        await self.recorder.do(lambda made: sessions.rename(made, name, new_name))

    @command("sessions.delete")
    async def delete_session(self, name: str) -> int:
        """Delete a session with all its flows; returns how many they were."""
        from . import retention
        from .index import Index

        deleted: int = await self.recorder.do(lambda made: retention.remove_session(made, Index(made), name))
        return deleted

    @command("sessions.record")
    async def record_session(self, on: bool = True) -> None:
        """Record to the active session, or (false) let traffic pass unrecorded."""
        from . import sessions

        await self.recorder.do(lambda made: sessions.record(made, on))

    @command("sessions.stats")
    async def session_stats(self, name: str = "") -> Any:
        """Numbers of a session, or of the active one: flows by type, status, host; bytes; times."""
        from . import sessions

        return await self.recorder.do(lambda made: sessions.stats(made, name or sessions.active(made).name))

    @command("store.status")
    def status(self) -> Any:
        """How recording goes: how much has been written, waits, or was lost, and what is in the way."""
        return self.recorder.status()

    @command("flow.annotate")
    @argument("colour", Choice("flow.annotate.colours"))
    def annotate(self, flows: Sequence[Flow], note: str, colour: str = "", *tags: str) -> None:
        """Note something about flows: text, a colour, tags. `~comment`, `~marker` and `~meta` find it.

        What was noted before is replaced.
        """
        if colour and colour not in COLOURS:
            raise CommandError(f"flow.annotate: {colour!r} is no colour here; there are {', '.join(COLOURS)}")
        for flow in flows:
            flow.comment, flow.marked = note, colour
            flow.metadata["tags"] = list(tags)
        if self._recorder is not None:
            self._recorder.annotate(flows, note, colour, list(tags))

    @command("flow.annotate.colours")
    def colours(self) -> Sequence[str]:
        """The colours there are for flow.annotate; none may be given too."""
        return ["", *COLOURS]
