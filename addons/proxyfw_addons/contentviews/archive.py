"""View ``zip``: the list of files in an archive; nothing is unpacked."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO
from zipfile import BadZipFile, ZipFile, ZipInfo

from proxyfw.contentviews import Metadata

MOST_FILES = 5000
"""Files that are listed."""


def prettify(data: bytes, metadata: Metadata) -> str:
    """A file a line: its size, how much of that is stored, when it was changed, its name."""
    try:
        with ZipFile(BytesIO(data)) as archive:
            files = archive.infolist()
    except (BadZipFile, struct.error, NotImplementedError, UnicodeError) as problem:
        raise ValueError(f"no ZIP archive: {problem}") from problem
    return "\n".join(_lines(files))


def _lines(files: list[ZipInfo]) -> Iterator[str]:
    yield f"{len(files)} files, {sum(file.file_size for file in files)} bytes unpacked"
    yield f"{'size':>12} {'stored':>12}  changed              name"
    for file in files[:MOST_FILES]:
        year, month, day, hour, minute, second = file.date_time
        changed = f"{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
        yield f"{file.file_size:12} {file.compress_size:12}  {changed}  {file.filename}"
    if len(files) > MOST_FILES:
        yield f"(and {len(files) - MOST_FILES} more)"
