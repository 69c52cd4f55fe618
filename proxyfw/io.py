"""Files of flows: read flow by flow, written flow by flow, in the format of mitmproxy's dump files.

    with open("traffic.mitm", "rb") as file:
        for flow in io.FlowReader(file).stream():
            ...

Other formats are read by whoever puts a `Format` into `formats`, or offers one in an installed package: an
entry point of the group ``proxyfw.formats``, which is imported when a file may be of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import BinaryIO, NamedTuple, Protocol

from proxyfw import flowfilter
from proxyfw.exceptions import FlowReadException
from proxyfw.flow import Flow
from proxyfw.flowfile import states, tnetstring

__all__ = [
    "FORMAT_VERSION",
    "FilteredFlowWriter",
    "FlowReadException",
    "FlowReader",
    "FlowWriter",
    "Format",
    "Writer",
    "formats",
    "read_flows_from_paths",
    "writer_for",
]

FORMAT_VERSION = states.VERSION
"""The version of mitmproxy's format that is written."""

_LOOK = 512


class Writer(Protocol):
    """Writes flows to a file that somebody else closes."""

    def add(self, flow: Flow) -> None:
        """Write *flow* as it is now. Raises OSError."""

    def close(self) -> None:
        """There are no more. Raises OSError."""


class Format(NamedTuple):
    """Another kind of file: whether one *begins* like it (its first bytes are given), and how to *read* it.

    *read* gets the file, at its beginning, and its name; it yields flows and raises `FlowReadException`.
    *writer* makes what writes to a binary file; *suffixes* are those of files that are written so.
    """

    name: str
    begins: Callable[[bytes], bool]
    read: Callable[[BinaryIO, str], Iterator[Flow]]
    suffixes: tuple[str, ...] = ()
    writer: Callable[[BinaryIO], Writer] | None = None


formats: list[Format] = []
"""What `FlowReader` knows besides dump files and what installed packages offer."""


@cache
def _offered() -> tuple[Format, ...]:
    """The formats of installed packages."""
    from importlib.metadata import entry_points  # not light; dump files do without

    return tuple(entry.load() for entry in entry_points(group="proxyfw.formats"))


class FlowWriter:
    """Writes flows to *fo*, a binary file; each is in the file when `add` returns."""

    def __init__(self, fo: BinaryIO) -> None:
        self.fo = fo

    def close(self) -> None:
        """Nothing is left to write."""

    def add(self, flow: Flow) -> None:
        """Append *flow* as it is now. Raises OSError."""
        self.fo.write(tnetstring.dumps(states.to_theirs(flow.get_state())))
        self.fo.flush()


def writer_for(path: str) -> Callable[[BinaryIO], Writer]:
    """What writes files of such a name: that of the `Format` with its suffix, else `FlowWriter`."""
    for format in (*formats, *_offered()):
        if format.writer is not None and path.lower().endswith(format.suffixes):
            return format.writer
    return FlowWriter


class FilteredFlowWriter(FlowWriter):
    """Writes the flows that *flt*, a filter or its text, matches; with None, all."""

    def __init__(self, fo: BinaryIO, flt: flowfilter.Filter | str | None) -> None:
        super().__init__(fo)
        self.flt = flowfilter.parse(flt) if isinstance(flt, str) else flt

    def add(self, flow: Flow) -> None:
        """Append *flow* if it is wanted. Raises OSError."""
        if self.flt is None or self.flt(flow):
            super().add(flow)


class FlowReader:
    """Reads flows from *fo*, a binary file that need not be seekable."""

    def __init__(self, fo: BinaryIO) -> None:
        self.fo = fo
        name = getattr(fo, "name", None)
        self._name = name if isinstance(name, str) else "flows"
        self._ahead = b""
        self._taken = 0

    def stream(self) -> Iterator[Flow]:
        """The flows, one by one, each as soon as it is read.

        Raises `FlowReadException` where the file is damaged, after what comes before.
        """
        start = self._peek()
        others = _offered() if start and not start[:1].isdigit() else ()
        for format in (*formats, *others):
            if format.begins(start):
                yield from format.read(_Rest(self), self._name)  # type: ignore[arg-type]  # a file to read from
                return
        if start and not start[:1].isdigit():
            raise FlowReadException(f"{self._name}: {_foreign(start)}")
        while (flow := self._next()) is not None:
            yield flow

    def _next(self) -> Flow | None:
        at = self._taken
        try:
            found = tnetstring.read(self._take)
            return None if found is None else Flow.from_state(states.to_ours(found[0]))
        except tnetstring.Damaged as damage:
            raise FlowReadException(f"{self._name}: at byte {at + damage.at}: {damage.reason}") from None
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as problem:
            reason = f"{problem.args[0]} is missing" if isinstance(problem, KeyError) else str(problem)
            raise FlowReadException(f"{self._name}: the flow at byte {at} cannot be read: {reason}") from None

    def _peek(self) -> bytes:
        while len(self._ahead) < _LOOK and (data := self.fo.read(_LOOK - len(self._ahead))):
            self._ahead += data
        return self._ahead

    def _take(self, size: int) -> bytes:
        if self._ahead:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
        else:
            data = self.fo.read(size)
        self._taken += len(data)
        return data


class _Rest:
    """What a reader has not taken yet, as a file."""

    def __init__(self, reader: FlowReader) -> None:
        self._reader = reader

    def read(self, size: int = -1) -> bytes:
        """At most *size* bytes; all, if it is negative."""
        if size < 0:
            ahead, self._reader._ahead = self._reader._ahead, b""
            return ahead + self._reader.fo.read()
        return self._reader._take(size)


def read_flows_from_paths(paths: Iterable[str | os.PathLike[str]]) -> list[Flow]:
    """All flows of several files. Raises `FlowReadException` naming the file, also if it cannot be opened."""
    flows: list[Flow] = []
    for path in paths:
        path = os.path.expanduser(path)
        try:
            with open(path, "rb") as file:
                flows.extend(FlowReader(file).stream())
        except OSError as problem:
            raise FlowReadException(f"{path}: {problem.strerror}") from None
    return flows


def _foreign(start: bytes) -> str:
    if start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return "this looks like JSON: no addon is loaded that reads such files"
    if start.startswith(b"SQLite format 3\x00"):
        return "this is a database: no addon is loaded that reads such files"
    return f"this is no file of flows: it begins with {start[:16]!r}"
