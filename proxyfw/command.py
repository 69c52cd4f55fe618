"""Commands: functions of addons that people and front ends call by name, with arguments given as text.

``@command.command("flows.count")`` marks a method or function; the annotations of its parameters say how text
becomes arguments.
"""

from __future__ import annotations

import collections.abc
import difflib
import inspect
import shlex
import typing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from proxyfw.addon.report import located, place_of
from proxyfw.exceptions import AddonError, CommandError
from proxyfw.flow import Flow

F = TypeVar("F", bound=Callable[..., Any])
_TYPES = "str, int, bool, float, Sequence[str], Flow or Sequence[Flow]"
_BOOLS = {"true": True, "false": False}


def command(name: str | None = None) -> Callable[[F], F]:
    """Make the decorated function the command *name* (by default its own name, dots for underscores)."""

    def mark(function: F) -> F:
        function.command_name = name or function.__name__.replace("_", ".")  # type: ignore[attr-defined]
        return function

    return mark


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it can be called; *source* names the addon it belongs to."""

    name: str
    function: Callable[..., Any]
    parameters: tuple[inspect.Parameter, ...]
    types: dict[str, Any]
    help: str
    source: str = "proxyfw"

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{'*' * _is_rest(p)}{p.name}" for p in self.parameters)])

    def call(self, args: Sequence[Any]) -> Any:
        """Call with values; raises `CommandError` if their number or types are wrong."""
        for name, value in self._bind(args):
            if not _fits(value, self.types[name]):
                raise CommandError(f"{self.name}: {name} must be {_spoken(self.types[name])}, not {value!r}")
        return self.function(*args)

    def call_text(self, texts: Sequence[str]) -> Any:
        """Call with text, read as the annotations say."""
        return self.call([self._read(name, text) for name, text in self._bind(texts)])

    def _bind(self, args: Sequence[Any]) -> list[tuple[str, Any]]:
        names = [p.name for p in self.parameters if not _is_rest(p)]
        required = [p for p in self.parameters if p.default is p.empty and not _is_rest(p)]
        rest = next((p.name for p in self.parameters if _is_rest(p)), None)
        if len(args) < len(required) or (len(args) > len(names) and rest is None):
            raise CommandError(f"{self.name}: {len(args)} arguments given; usage: {self}")
        names += [rest or ""] * (len(args) - len(names))
        return list(zip(names, args, strict=False))

    def _read(self, name: str, text: str) -> Any:
        kind = self.types[name]
        try:
            if kind is bool:
                return _BOOLS[text.lower()]
            if kind in (str, int, float):
                return kind(text)
        except (KeyError, ValueError):
            raise CommandError(f"{self.name}: {name} must be {_spoken(kind)}, not {text!r}") from None
        if _item(kind) is str:
            return [part.strip() for part in text.split(",") if part.strip()]
        raise CommandError(f"{self.name}: {name} ({_spoken(kind)}) cannot be given as text")


class CommandManager:
    """All commands of one proxy."""

    def __init__(self) -> None:
        self.commands: dict[str, Command] = {}

    def add(self, path: str, function: Callable[..., Any], source: str = "proxyfw") -> None:
        """Make *function* callable as *path*.

        Raises `AddonError` if a parameter has no possible type, or *path* belongs to another addon.
        """
        holder = self.commands.get(path)
        if holder is not None and holder.source != source:
            raise AddonError(f"command {path} is declared by {holder.source} and by {source}: rename one")
        self.commands[path] = _examined(path, function, source)

    def collect(self, addon: object, source: str = "proxyfw") -> int:
        """Add every function of *addon* that is marked with `command`; returns how many there are."""
        count = 0
        for name in dir(addon):
            static = inspect.getattr_static(addon, name, None)
            marked = getattr(static, "__func__", static)
            path = getattr(marked, "command_name", None) if callable(marked) else None
            if isinstance(path, str) and not isinstance(marked, type):
                self.add(path, getattr(addon, name), source)
                count += 1
        return count

    def remove(self, source: str) -> None:
        """Forget the commands of an addon."""
        self.commands = {path: known for path, known in self.commands.items() if known.source != source}

    def call(self, name: str, *args: Any) -> Any:
        """Call with Python values and return the result (of an ``async`` command, an awaitable)."""
        return self._get(name).call(args)

    def call_strings(self, name: str, args: Sequence[str]) -> Any:
        """Call with text for each argument."""
        return self._get(name).call_text(args)

    def execute(self, line: str) -> Any:
        """Call what *line* says: name and arguments, quoted as in a shell. Raises `CommandError`."""
        try:
            words = shlex.split(line)
        except ValueError as problem:
            raise CommandError(f"{line!r}: {problem}") from None
        if not words:
            raise CommandError("no command given")
        return self.call_strings(words[0], words[1:])

    def _get(self, name: str) -> Command:
        try:
            return self.commands[name]
        except KeyError:
            nearest = difflib.get_close_matches(name, self.commands, 1)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
            raise CommandError(f"unknown command {name!r}{hint}") from None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Undo what was added and removed inside if an exception leaves the block."""
        before = dict(self.commands)
        try:
            yield
        except BaseException:
            self.commands = before
            raise


def _examined(path: str, function: Callable[..., Any], source: str) -> Command:
    parameters = tuple(inspect.signature(function).parameters.values())
    try:
        hints = typing.get_type_hints(function)
    except Exception as problem:
        raise AddonError(
            located(*place_of(function), f"command {path}: its annotations are wrong: {problem}")
        ) from None
    for parameter in parameters:
        named = parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD)
        if named or not _is_possible(hints.get(parameter.name)):
            message = f"command {path}: parameter {parameter.name} must be positional and annotated: {_TYPES}"
            raise AddonError(located(*place_of(function), message))
    return Command(path, function, parameters, hints, inspect.getdoc(function) or "", source)


def _is_rest(parameter: inspect.Parameter) -> bool:
    return parameter.kind is inspect.Parameter.VAR_POSITIONAL


def _item(kind: Any) -> Any:
    """The type of the items if *kind* is a sequence type, else None."""
    return typing.get_args(kind)[0] if typing.get_origin(kind) in (collections.abc.Sequence, list) else None


def _is_possible(kind: Any) -> bool:
    item = _item(kind)
    if item is not None:
        return item is str or _is_flow(item)
    return kind in (str, int, bool, float) or _is_flow(kind)


def _is_flow(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Flow)


def _fits(value: object, kind: Any) -> bool:
    item = _item(kind)
    if item is not None:
        return (
            isinstance(value, Sequence)
            and not isinstance(value, str)
            and all(isinstance(v, item) for v in value)
        )
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, kind) or (kind is float and isinstance(value, int))


def _spoken(kind: Any) -> str:
    item = _item(kind)
    return f"a sequence of {item.__name__}" if item is not None else str(kind.__name__)
