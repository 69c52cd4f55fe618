"""``mitmproxy.addons.save``: writes flows to a file as they end. Also what ``mitmdump -w`` is."""

from __future__ import annotations

import os
from typing import BinaryIO

from proxyfw import ctx, flowfilter, io
from proxyfw.addonmanager import Loader
from proxyfw.alias import names_of
from proxyfw.exceptions import FilterError, OptionsError
from proxyfw.flow import Flow


class Save:
    """The options ``save_stream_file`` (``+file`` appends) and ``save_stream_filter``."""

    def __init__(self) -> None:
        self._file: BinaryIO | None = None
        self._writer: io.FilteredFlowWriter | None = None

    def load(self, loader: Loader) -> None:
        """Declare the options."""
        loader.add_option(
            "save_stream_file", str | None, None, "Write flows to this file as they end; +file appends."
        )
        loader.add_option("save_stream_filter", str | None, None, "Which flows are written: a filter.")

    def configure(self, updated: set[str]) -> None:
        """Open the file. Raises OptionsError if that, or the filter, is not possible."""
        if not updated & {"save_stream_file", "save_stream_filter"}:
            return
        self.done()
        path, wanted = ctx.options.save_stream_file, ctx.options.save_stream_filter
        if not path:
            return
        append = path.startswith("+")
        try:
            chosen = flowfilter.parse(wanted) if wanted else None
            self._file = open(os.path.expanduser(path[append:]), "ab" if append else "wb")  # noqa: SIM115
        except FilterError as problem:
            raise OptionsError(f"option save_stream_filter: {problem}") from None
        except OSError as problem:
            raise OptionsError(f"option save_stream_file: {path}: {problem.strerror}") from None
        self._writer = io.FilteredFlowWriter(self._file, chosen)

    def flow_end(self, flow: Flow) -> None:
        """Write the flow."""
        if self._writer is not None:
            self._writer.add(flow)

    def done(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
        self._file = self._writer = None


addons = [Save()]
__getattr__ = names_of("addons.save")
