"""What a parameter of a command may be besides Python's own types: how text is read for it.

Use them as annotations, ``def save(self, path: types.Path) -> None``, or with `proxyfw.command.argument`.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Choice", "Cmd", "CmdArgs", "CutSpec", "Data", "Marker", "Path", "Unknown"]


class Path(str):
    """A path; ``~`` at its beginning is the home directory."""

    __slots__ = ()


class Cmd(str):
    """The name of a command."""

    __slots__ = ()


class CmdArgs(str):
    """One argument of the command that a `Cmd` before it names: ``*args: types.CmdArgs``."""

    __slots__ = ()


class Marker(str):
    """What `Flow.marked` is set to."""

    __slots__ = ()


class Unknown(str):
    """Text of which nothing is known."""

    __slots__ = ()


class CutSpec(Sequence[str]):
    """Names of attributes of flows, such as ``request.url,response.status_code``."""


class Data(Sequence[Sequence[str | bytes]]):
    """Rows of a table; commands return it, and nobody can type it."""


class Choice:
    """One of the words that the command *options_command* returns when it is called without arguments."""

    __slots__ = ("options_command",)

    def __init__(self, options_command: str) -> None:
        self.options_command = options_command

    def __repr__(self) -> str:
        return f"Choice({self.options_command!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Choice) and other.options_command == self.options_command

    def __hash__(self) -> int:
        return hash(self.options_command)
