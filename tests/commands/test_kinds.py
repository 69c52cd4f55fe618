"""What annotations mean: how text is read, which values fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import pytest

from proxyfw import command, types
from proxyfw.command import CommandManager
from proxyfw.commands.kinds import kind_of
from proxyfw.exceptions import AddonError, CommandError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow

_MARKER = types.Marker("!")


class Addon:
    """Commands with types of their own."""

    @command.command("x.save")
    def save(self, path: types.Path, size: int | None = None, note: Optional[str] = None) -> list[Any]:  # noqa: UP045
        return [path, size, note]

    @command.command("x.run")
    def run(self, cmd: types.Cmd, *args: types.CmdArgs) -> list[str]:
        return [cmd, *args]

    @command.command("x.send")
    def send(self, data: bytes = b"") -> bytes:
        return data

    @command.command("x.sum")
    def sum(self, numbers: Sequence[int], what: types.CutSpec) -> list[Any]:
        return [sum(numbers), what]

    @command.command("x.colours")
    def colours(self) -> Sequence[str]:
        return ["red", "blue"]

    @command.command("x.paint")
    @command.argument("colour", type=types.Choice("x.colours"))
    def paint(self, colour: str, marker: types.Marker = _MARKER) -> str:
        return colour + marker

    @command.argument("colour", type=types.Choice("x.colours"))
    @command.command("x.draw")
    def draw(self, colour: str) -> str:
        return colour

    @command.command("x.table")
    def table(self, rows: types.Data) -> int:
        return len(rows)


@pytest.fixture
def commands() -> CommandManager:
    commands = CommandManager()
    commands.collect(Addon(), "addon")
    return commands


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("x.save ~/a", [str(Path.home() / "a"), None, None]),
        ("x.save a 7 x", ["a", 7, "x"]),
        ("x.save a '' ''", ["a", None, None]),
        (r"x.save C:\new\t", [r"C:\new\t", None, None]),
        ("x.run x.send a 'b c'", ["x.send", "a", "b c"]),
        (r"x.send 'a\r\n\x00\\\d é'", b"a\r\n\0\\\\d \xc3\xa9"),
        ("x.sum 1,2 request.url,response.status_code", [3, ["request.url", "response.status_code"]]),
        ("x.paint red", "red!"),
        ("x.draw blue", "blue"),
    ],
)
def test_text_is_read(commands: CommandManager, line: str, result: Any) -> None:
    assert commands.execute(line) == result


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x.run nothing", "cmd: there is no command 'nothing'"),
        ("x.sum 1,b x", "numbers must be a sequence of int, not '1,b'"),
        ("x.paint green", "colour: 'green' is none of red, blue"),
        ("x.table a,b", "a table cannot be given as text"),
        ("x.save a b", "size must be int or empty, not 'b'"),
    ],
)
def test_text_is_refused(commands: CommandManager, line: str, message: str) -> None:
    with pytest.raises(CommandError) as caught:
        commands.execute(line)
    assert message in str(caught.value)


def test_values(commands: CommandManager) -> None:
    assert commands.call("x.save", "a", None) == ["a", None, None]
    assert commands.call("x.table", [["a"], ["b"]]) == 2
    with pytest.raises(CommandError, match="data must be bytes, not 'text'"):
        commands.call("x.send", "text")


def test_usages(commands: CommandManager) -> None:
    assert str(commands.commands["x.save"]) == "x.save path:path [size:int] [note:str]"
    assert str(commands.commands["x.send"]) == "x.send [data:bytes]"
    assert str(commands.commands["x.paint"]) == "x.paint colour:choice [marker:marker=!]"
    assert str(commands.commands["x.run"]) == "x.run cmd:cmd [args:arg…]"


@pytest.mark.parametrize(
    "annotation", [object, dict[str, str], int | str, Sequence[float], Sequence[Sequence[str]], "str"]
)
def test_what_cannot_be_a_kind(annotation: Any) -> None:
    assert kind_of(annotation) is None


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (Flow, "flow"),
        (HTTPFlow, "flow"),
        (list[HTTPFlow], "flow[]"),
        (Flow | None, "flow"),
        (list[str], "str[]"),
    ],
)
def test_what_can(annotation: Any, name: str) -> None:
    kind = kind_of(annotation)
    assert kind is not None
    assert kind.name == name


def test_an_argument_that_there_is_not() -> None:
    @command.argument("colour", type=types.Choice("x.colours"))
    def paint(color: str) -> None: ...

    with pytest.raises(AddonError, match="command x: it has no parameter colour"):
        CommandManager().add("x", paint)


def test_choices_are_equal_if_they_ask_the_same() -> None:
    assert types.Choice("a") == types.Choice("a") != types.Choice("b")
    assert {types.Choice("a"), types.Choice("a")} == {types.Choice("a")}
    assert repr(types.Choice("a")) == "Choice('a')"
