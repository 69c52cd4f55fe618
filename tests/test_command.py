"""Commands: collected, typed, called with values and with text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from proxyfw import command
from proxyfw.command import CommandManager
from proxyfw.connection import Client, Server
from proxyfw.exceptions import AddonError, CommandError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow


class Addon:
    """Commands of every type."""

    @command.command("say")
    def say(self, word: str, times: int = 1, loud: bool = False, pause: float = 0.0) -> str:
        """Say a word."""
        return " ".join([word.upper() if loud else word] * times) + f" {pause}"

    @command.command("join")
    def join(self, words: Sequence[str]) -> str:
        return "+".join(words)

    @command.command("all")
    def all(self, first: str, *rest: int) -> list[Any]:
        return [first, *rest]

    @command.command("flow.mark")
    def mark(self, flow: Flow, marker: str) -> None:
        flow.marked = marker

    @command.command("flows.count")
    def count(self, flows: Sequence[Flow]) -> int:
        return len(flows)

    @command.command()
    async def wait_here(self) -> str:
        return "waited"

    @staticmethod
    @command.command("static")
    def static() -> str:
        return "static"

    @property
    def trap(self) -> None:
        raise AssertionError("read")

    def other(self, no_command: Any) -> None: ...


@pytest.fixture
def commands() -> CommandManager:
    commands = CommandManager()
    assert commands.collect(Addon(), "addon") == 7
    return commands


@pytest.fixture
def flow() -> HTTPFlow:
    client = Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), timestamp_start=1.0)
    return HTTPFlow(client, Server(address=("example.com", 80)))


def test_calling_with_values(commands: CommandManager, flow: HTTPFlow) -> None:
    assert commands.call("say", "hi", 2, True, 1) == "HI HI 1"
    assert commands.call("join", ["a", "b"]) == "a+b"
    assert commands.call("all", "a") == ["a"]
    assert commands.call("all", "a", 1, 2) == ["a", 1, 2]
    assert commands.call("static") == "static"
    commands.call("flow.mark", flow, "x")
    assert flow.marked == "x"
    assert commands.call("flows.count", [flow, flow]) == 2


async def test_an_async_command_gives_something_to_await(commands: CommandManager) -> None:
    assert await commands.call("wait.here") == "waited"
    assert await commands.execute("wait.here") == "waited"


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("say 'b c'", "b c 0.0"),
        ('say "b c" 2 TRUE 0.5', "B C B C 0.5"),
        ("  join a,b , ", None),
        ("join 'a, b,,c'", "a+b+c"),
        ("join ''", ""),
        ("all x 1 2", ["x", 1, 2]),
    ],
)
def test_calling_with_text(commands: CommandManager, line: str, result: Any) -> None:
    if result is None:
        with pytest.raises(CommandError, match="too many arguments"):
            commands.execute(line)
    else:
        assert commands.execute(line) == result


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "no command given"),
        ("say 'open", "this quote is not closed\n    say 'open\n        ^"),
        ("sya x", "unknown command 'sya'; did you mean 'say'?"),
        ("zzzzz", "unknown command 'zzzzz'"),
        (
            "say",
            "too few arguments (0); usage: say word:str [times:int=1] [loud:bool=false] [pause:float=0.0]",
        ),
        ("say a 1 true 1 more", "    say a 1 true 1 more\n                   ^^^^"),
        ("all", "usage: all first:str [rest:int…]\n    all\n        ^"),
        ("say a x", "say: times must be int, not 'x'\n    say a x\n          ^\nusage: say word:str"),
        ("say a 1 maybe", "say: loud must be bool (true or false), not 'maybe'"),
        ("all a x", "all: rest must be int, not 'x'"),
        ("flow.mark ~all y", "~all means no flows; exactly one is needed"),
        ("flow.mark @nobody y", "no flow has the id 'nobody'"),
        ("flow.mark @focus y", "no display is there in which a flow has the focus; name its id"),
        ("flow.mark '' y", "which flows? Write @all"),
        ("flows.count '~c'", "flows.count '~c'\n                   ^"),
        ("flows.count '~m GET & ~zzz'", "                         ^\nusage: flows.count flows:flow[]"),
    ],
)
def test_wrong_text(commands: CommandManager, line: str, message: str) -> None:
    with pytest.raises(CommandError) as caught:
        commands.execute(line)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("say", ("a", "1"), "say: times must be int, not '1'"),
        ("say", ("a", True), "say: times must be int, not True"),
        ("join", ("ab",), "join: words must be a sequence of str, not 'ab'"),
        ("join", ([1],), "join: words must be a sequence of str"),
        ("flow.mark", ("x", "y"), "flow.mark: flow must be Flow"),
        ("all", ("a", "b"), "all: rest must be int, not 'b'"),
    ],
)
def test_wrong_values(commands: CommandManager, name: str, args: tuple[Any, ...], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        commands.call(name, *args)


def test_commands_know_their_owner_and_help(commands: CommandManager) -> None:
    assert commands.commands["say"].help == "Say a word."
    assert commands.commands["say"].source == "addon"
    with pytest.raises(AddonError, match="command all is declared by addon and by stranger"):
        commands.collect(Addon(), "stranger")
    commands.collect(Addon(), "addon")
    commands.remove("addon")
    assert commands.commands == {}


def test_functions_can_be_added_and_a_failed_transaction_is_undone(commands: CommandManager) -> None:
    def double(n: int) -> int:
        return 2 * n

    def fail() -> None:
        with commands.transaction():
            commands.add("double", double)
            commands.remove("addon")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert "double" not in commands.commands
    assert "say" in commands.commands
    commands.add("double", double)
    assert commands.call_strings("double", ["4"]) == 8


def unannotated(x): ...  # type: ignore[no-untyped-def]
def of_a_strange_type(x: dict[str, str]) -> None: ...
def by_name_only(*, x: str) -> None: ...
def of_an_unknown_type(x: NoSuchType) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize("function", [unannotated, of_a_strange_type, by_name_only, of_an_unknown_type])
def test_parameters_that_no_text_can_fill(function: Any) -> None:
    line = function.__code__.co_firstlineno
    with pytest.raises(AddonError, match=rf"test_command\.py:{line}: command x: "):
        CommandManager().add("x", function)
