"""Writes requests down as commands and programs that send them again, and messages as the bytes of HTTP/1.

It has no hook; what a format needs is imported when that is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.command import argument, command
from proxyfw.exceptions import CommandError
from proxyfw.flow import Flow
from proxyfw.types import Choice, Path


class Export:
    """The commands ``export…`` and the option ``export_preserve_original_ip``."""

    def load(self, loader: Loader) -> None:
        """Declare the option."""
        loader.add_option(
            "export_preserve_original_ip",
            bool,
            False,
            "Commands of curl go to the address the request went to, whatever its name leads to by then.",
        )

    @command("export.formats")
    def formats(self) -> Sequence[str]:
        """What flows can be exported as."""
        from .formats import FORMATS

        return list(FORMATS)

    @command("export")
    @argument("format", Choice("export.formats"))
    def export(self, format: str, flow: Flow) -> str:
        """A flow as text: a command or program that sends its request again, or its messages.

        Bytes that are not UTF-8 are shown as escapes; `export.file` writes them as they are.
        """
        return self._written(format, flow).decode("utf-8", "backslashreplace")

    @command("export.file")
    @argument("format", Choice("export.formats"))
    def file(self, format: str, flow: Flow, path: Path) -> None:
        """Write a flow to a file; one that is made can be read by nobody else."""
        data, name = self._written(format, flow), os.path.expanduser(path)
        try:
            with open(name, "wb", opener=_private) as file:
                file.write(data)
        except OSError as problem:
            raise CommandError(f"export.file: cannot write {path}: {problem.strerror}") from None

    @command("export.clip")
    @argument("format", Choice("export.formats"))
    def clip(self, format: str, flow: Flow) -> None:
        """Copy a flow to the clipboard, if there were one: without a display there is none."""
        raise CommandError(
            f"export.clip: this proxy has no display, so no clipboard; export {format} returns the text,"
            f" export.file {format} writes it to a file"
        )

    def _written(self, format: str, flow: Flow) -> bytes:
        from .formats import written

        return written(format, flow, ctx.options.export_preserve_original_ip)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
