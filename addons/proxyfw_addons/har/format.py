"""HAR files, plain and compressed, as formats of files of flows: ``-w x.har``, ``-r x.har``."""

from __future__ import annotations

from proxyfw.io import Format

from .reading import begins, read
from .writing import HarWriter, PackedHarWriter

HAR = Format("HAR", begins, read, (".har",), HarWriter)
ZHAR = Format("compressed HAR", lambda start: False, read, (".zhar",), PackedHarWriter)
"""Only for writing: `HAR` reads both."""
