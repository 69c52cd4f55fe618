"""Commands: functions of addons that people and front ends call by name, with arguments given as text.

``@command.command("flows.count")`` marks a method or function; the annotations of its parameters say how text
becomes arguments. ``ctx.master.commands`` calls them.
"""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Awaitable, Callable, Iterator, Sequence, Sized
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from proxyfw.addon.context import use
from proxyfw.addon.report import located, place_of
from proxyfw.commands.flows import Flows, FlowSource
from proxyfw.commands.kinds import SUPPORTED, Kind, kind_of
from proxyfw.commands.words import Word, pointed, quoted, split
from proxyfw.exceptions import AddonError, CommandError, FilterError

if TYPE_CHECKING:
    from proxyfw.ctx import Master

__all__ = ["Command", "CommandManager", "FlowSource", "Parameter", "argument", "command", "quoted"]

F = TypeVar("F", bound=Callable[..., Any])


def command(name: str | None = None) -> Callable[[F], F]:
    """Make the decorated function the command *name* (by default its own name, dots for underscores)."""

    def mark(function: F) -> F:
        function.command_name = name or function.__name__.replace("_", ".")  # type: ignore[attr-defined]
        return function

    return mark


def argument(name: str, type: Any) -> Callable[[F], F]:
    """Say of what *type* the parameter *name* is, where an annotation cannot: ``types.Choice("x.options")``.

    It stands beside `command`, above or below it.
    """

    def mark(function: F) -> F:
        given = getattr(function, "command_arguments", {})
        function.command_arguments = {**given, name: type}  # type: ignore[attr-defined]
        return function

    return mark


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a command. *default* is `inspect.Parameter.empty` if it must be given."""

    name: str
    kind: Kind
    default: Any = inspect.Parameter.empty
    rest: bool = False
    """It takes all arguments that are left."""

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is inspect.Parameter.empty and not self.rest

    def __str__(self) -> str:
        text = f"{self.name}:{self.kind.name}"
        if self.rest:
            return f"[{text}…]"
        if self.required:
            return text
        empty = self.default is None or (isinstance(self.default, Sized) and not self.default)
        return f"[{text}]" if empty else f"[{text}={_shown(self.default)}]"


class _WrongNumber(CommandError):
    """Too few arguments, or too many."""


class _Misfit(Exception):
    """An argument is wrong: which, and why."""

    def __init__(self, number: int, reason: str, position: int | None = None) -> None:
        super().__init__(reason)
        self.number = number
        self.position = position
        """Where in its text, if that is known."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it can be called; *source* names the addon it belongs to.

    *returns* is the annotation of what it returns, None if there is none.
    """

    name: str
    function: Callable[..., Any]
    parameters: tuple[Parameter, ...]
    help: str
    source: str = "proxyfw"
    returns: Any = None

    def __str__(self) -> str:
        return " ".join([self.name, *map(str, self.parameters)])

    @property
    def usage(self) -> str:
        """How it is written."""
        return f"usage: {self}"

    def bound(self, count: int) -> list[Parameter]:
        """The parameters that *count* arguments are for. Raises `CommandError` for too few or too many."""
        parameters = list(self.parameters)
        if parameters and parameters[-1].rest:
            rest = parameters.pop()
            parameters += [rest] * (count - len(parameters))
        needed = sum(parameter.required for parameter in self.parameters)
        if not needed <= count <= len(parameters):
            few_or_many = "few" if count < needed else "many"
            flows = count > needed and any(p.kind.name.startswith("flow") for p in self.parameters)
            hint = " (a filter with spaces needs quotes)" if flows else ""
            raise _WrongNumber(f"{self.name}: too {few_or_many} arguments ({count}); {self.usage}{hint}")
        return parameters[:count]

    def call(self, args: Sequence[Any]) -> Any:
        """Call with values; raises `CommandError` if their number or types are wrong."""
        for parameter, value in zip(self.bound(len(args)), args, strict=True):
            if not parameter.kind.fits(value):
                words = parameter.kind.words
                raise CommandError(f"{self.name}: {parameter.name} must be {words}, not {value!r}")
        return self.function(*args)

    def read(self, texts: Sequence[str], commands: CommandManager) -> list[Any]:
        """The values that *texts* mean."""
        return [
            _read(number, parameter, text, commands)
            for number, (parameter, text) in enumerate(zip(self.bound(len(texts)), texts, strict=True))
        ]


def _read(number: int, parameter: Parameter, text: str, commands: CommandManager) -> Any:
    try:
        return parameter.kind.read(text, commands)
    except FilterError as problem:
        raise _Misfit(number, f"{parameter.name}: {problem.reason}", problem.position) from None
    except CommandError as problem:
        raise _Misfit(number, f"{parameter.name}: {problem}") from None
    except ValueError:
        raise _Misfit(number, f"{parameter.name} must be {parameter.kind.words}, not {text!r}") from None


class CommandManager:
    """All commands of one proxy.

    Commands run as code of *master*: `proxyfw.ctx` is that; its options say what ``@shown`` means. *start* is
    given what an ``async`` command returned, and the command's name; what it returns is the result. By itself
    nothing starts: the caller must await.
    """

    def __init__(
        self,
        master: Master | None = None,
        start: Callable[[Awaitable[Any], str], Any] = lambda work, name: work,
    ) -> None:
        self.commands: dict[str, Command] = {}
        self.flows = Flows(lambda: getattr(getattr(master, "options", None), "view_filter", None))
        """The flows that arguments can name."""
        self.finder: Callable[[str], None] | None = None
        """Is asked, with a name, to have a command declared that is not there."""
        self._master = master
        self._start = start

    # declaring

    def add(self, path: str, func: Callable[..., Any], source: str = "proxyfw") -> None:
        """Make *func* callable as *path*.

        Raises `AddonError` if a parameter has no possible type, or *path* belongs to another addon.
        """
        holder = self.commands.get(path)
        if holder is not None and holder.source != source:
            raise AddonError(f"command {path} is declared by {holder.source} and by {source}: rename one")
        self.commands[path] = _examined(path, func, source)

    def collect(self, addon: object, source: str = "proxyfw") -> int:
        """Add every function of *addon* that is marked with `command`; returns how many there are."""
        count = 0
        for name in dir(addon):
            if name.startswith("__"):
                continue
            static = inspect.getattr_static(addon, name, None)
            marked = getattr(static, "__func__", static)
            path = getattr(marked, "command_name", None) if callable(marked) else None
            if isinstance(path, str) and not isinstance(marked, type):
                self.add(path, getattr(addon, name), source)
                count += 1
        return count

    def add_flow_source(self, flows: FlowSource, source: str = "proxyfw") -> None:
        """Offer what *flows* keeps to the arguments of commands, after those who are asked already."""
        self.flows.sources.append((source, flows))

    def remove(self, source: str) -> None:
        """Forget the commands of an addon, and the flows that it offers."""
        self.commands = {path: known for path, known in self.commands.items() if known.source != source}
        self.flows.sources = [entry for entry in self.flows.sources if entry[0] != source]

    # calling

    def call(self, name: str, *args: Any) -> Any:
        """Call with Python values and return the result; of an ``async`` command, something to await.

        While the proxy runs an ``async`` command goes on whether it is awaited or not; how it failed is
        logged if nobody waits for it. In a thread it gives a `concurrent.futures.Future`, whose ``result()``
        waits. Raises `CommandError`.
        """
        known = self._get(name)
        with nullcontext() if self._master is None else use(self._master):
            result = known.call(args)
            return self._start(result, name) if inspect.isawaitable(result) else result

    def call_strings(self, name: str, args: Sequence[str]) -> Any:
        """Call with text for each argument. Raises `CommandError`."""
        known = self._get(name)
        try:
            values = known.read(args, self)
        except _Misfit as problem:
            raise CommandError(f"{name}: {problem}; {known.usage}") from None
        return self.call(name, *values)

    def execute(self, line: str) -> Any:
        """Call what *line* says: a name, and arguments divided by spaces; quotes keep spaces together.

        Raises `CommandError`, which shows the line and where it is wrong.
        """
        words = split(line)
        if not words:
            raise CommandError("no command given")
        first, *rest = words
        try:
            known = self._get(first.text)
        except CommandError as problem:
            raise CommandError(pointed(str(problem), line, first.start, first.end)) from None
        try:
            values = known.read([word.text for word in rest], self)
        except _Misfit as problem:
            start, end = _place(problem, rest[problem.number], line)
            shown = pointed(f"{known.name}: {problem}", line, start, end)
            raise CommandError(f"{shown}\n{known.usage}") from None
        except _WrongNumber as problem:
            start, end = _surplus(known, rest, line)
            raise CommandError(pointed(str(problem), line, start, end)) from None
        return self.call(first.text, *values)

    def _get(self, name: str) -> Command:
        if name not in self.commands and self.finder is not None:
            self.finder(name)
        try:
            return self.commands[name]
        except KeyError:
            nearest = difflib.get_close_matches(name, self.commands, 1)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
            raise CommandError(f"unknown command {name!r}{hint}") from None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Undo what was added and removed inside if an exception leaves the block."""
        before, sources = dict(self.commands), list(self.flows.sources)
        try:
            yield
        except BaseException:
            self.commands, self.flows.sources = before, sources
            raise


def _surplus(known: Command, words: Sequence[Word], line: str) -> tuple[int, int]:
    """Where the arguments of *known* that are too many stand, or the place where one is missing."""
    extra = words[len(known.parameters) :]
    return (extra[0].start, extra[-1].end) if extra else (len(line.rstrip()) + 1,) * 2


def _place(problem: _Misfit, word: Word, line: str) -> tuple[int, int]:
    """Where to point: at a place in *word*, if the word is written as what it means, else at all of it."""
    begin = line.find(word.text, word.start, word.end)
    if problem.position is None or begin < 0:
        return word.start, word.end
    return begin + problem.position, begin + problem.position + 1


def _examined(path: str, function: Callable[..., Any], source: str) -> Command:
    try:
        hints = typing.get_type_hints(function)
    except Exception as problem:
        raise _refused(path, function, f"its annotations are wrong: {problem}") from None
    hints |= getattr(function, "command_arguments", {})
    signature = inspect.signature(function)
    for name in hints.keys() - signature.parameters.keys() - {"return"}:
        raise _refused(path, function, f"it has no parameter {name}")
    parameters = []
    for parameter in signature.parameters.values():
        by_name = parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD)
        kind = None if by_name else kind_of(hints.get(parameter.name))
        if kind is None:
            message = f"parameter {parameter.name} must be positional and annotated: {SUPPORTED}"
            raise _refused(path, function, message)
        rest = parameter.kind is parameter.VAR_POSITIONAL
        parameters.append(Parameter(parameter.name, kind, parameter.default, rest))
    return Command(
        path, function, tuple(parameters), inspect.getdoc(function) or "", source, hints.get("return")
    )


def _refused(path: str, function: Callable[..., Any], message: str) -> AddonError:
    return AddonError(located(*place_of(function), f"command {path}: {message}"))


def _shown(default: Any) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)
