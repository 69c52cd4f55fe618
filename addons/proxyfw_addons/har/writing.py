"""Writes HAR files entry by entry; of what was written, nothing stays in memory.

Where the file can be moved about in, it is whole after each entry, whatever becomes of the proxy.
"""

from __future__ import annotations

import json
import zlib
from importlib.metadata import version
from typing import Any, BinaryIO

from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow

from .entry import entry_of

_CREATOR = {"name": "proxyfw", "version": version("proxyfw")}
_HEAD = f'{{"log": {{"version": "1.2", "creator": {json.dumps(_CREATOR)}, "pages": [], "entries": ['.encode()
_TAIL = b"\n]}}\n"
_REMEMBERED = 4096
"""Connections of which it is known that an entry has told of their dialling."""


class HarWriter:
    """Writes to *fo*, a binary file that somebody else closes; flows that are not HTTP are left out."""

    def __init__(self, fo: BinaryIO) -> None:
        self._fo = fo
        self._connections: dict[tuple[str, float], None] = {}
        self._separator = b"\n"
        self._whole = fo.seekable()
        self._torn = False
        fo.write(_HEAD)
        self._end = fo.tell() if self._whole else 0
        if self._whole:
            fo.write(_TAIL)
            fo.flush()

    def add(self, flow: Flow) -> None:
        """Append *flow* as it is now. Raises OSError."""
        if not isinstance(flow, HTTPFlow):
            return
        entry = entry_of(flow, self._dialled(flow))
        data = self._separator + _json(entry)
        if self._whole:
            self._replace_tail(data)
        else:
            self._fo.write(data)
            self._fo.flush()
        self._separator = b",\n"

    def close(self) -> None:
        """Write the end, where it is not there yet. Raises OSError."""
        if not self._whole:
            self._fo.write(_TAIL)
        elif self._torn:
            self._replace_tail(b"")
        self._fo.flush()

    def _replace_tail(self, data: bytes) -> None:
        self._fo.seek(self._end)
        if self._torn:
            self._fo.truncate()
        self._torn = True
        self._fo.write(data + _TAIL)
        self._fo.flush()
        self._torn = False
        self._end += len(data)

    def _dialled(self, flow: HTTPFlow) -> bool:
        """Whether the connection was made while *flow* waited, or *flow* is the first that is told of it."""
        server = flow.server_conn
        if server.timestamp_start is None:
            return False
        key = server.id, server.timestamp_start
        first = key not in self._connections
        self._connections.pop(key, None)
        self._connections[key] = None
        if len(self._connections) > _REMEMBERED:
            del self._connections[next(iter(self._connections))]
        return first or server.timestamp_start >= flow.request.timestamp_start


class PackedFile:
    """A file that compresses what is written to *fo*, as ``.zhar`` files are."""

    def __init__(self, fo: BinaryIO) -> None:
        self._fo = fo
        self._packer = zlib.compressobj()

    def seekable(self) -> bool:
        """It is not."""
        return False

    def write(self, data: bytes) -> int:
        """Compress *data*. Raises OSError."""
        self._fo.write(self._packer.compress(data))
        return len(data)

    def flush(self) -> None:
        """Nothing: what is not full yet is worth waiting for."""

    def end(self) -> None:
        """Write what is left. Raises OSError."""
        self._fo.write(self._packer.flush())
        self._fo.flush()


class PackedHarWriter:
    """As `HarWriter`, compressed with zlib."""

    def __init__(self, fo: BinaryIO) -> None:
        self._packed = PackedFile(fo)
        self._writer = HarWriter(self._packed)  # type: ignore[arg-type]  # what of a file is used is there

    def add(self, flow: Flow) -> None:
        """Append *flow* as it is now. Raises OSError."""
        self._writer.add(flow)

    def close(self) -> None:
        """Write the end. Raises OSError."""
        self._writer.close()
        self._packed.end()


def _json(entry: Any) -> bytes:
    try:
        return json.dumps(entry, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:  # an addon has set a time that is no number, or an id with a surrogate
        return json.dumps(_finite(entry)).encode()


def _finite(value: Any) -> Any:
    """*value* without numbers that JSON does not have."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return 0 if isinstance(value, float) and not -1e300 < value < 1e300 else value
