"""Reads plain data, as YAML and JSON give it, into what a dataclass says; and says the same as JSON Schema.

A class whose objects are written as one value has two class methods: ``read``, which raises ValueError, and
``schema``. All that is wrong is found at once, each with its path. Nothing here knows what the data is about.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from proxyfw.ruleset.quantities import QUANTITIES

T = TypeVar("T")
Where = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""


class Problem(NamedTuple):
    """What is wrong, and at which place of the data."""

    where: Where
    message: str


class ShapeError(ValueError):
    """The data does not have its shape; *problems* says all that is wrong."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(f"{spoken(where)}{message}" for where, message in problems))


File = typing.NewType("File", Path)
"""A file or directory; written relative to the file that names it."""


def spoken(where: Where) -> str:
    """``match.query[2]: ``, for the beginning of a message; empty if it is the whole."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where)
    return f"{text.removeprefix('.')}: " if text else ""


def read(kind: type[T], value: object, where: Where = (), base: Path = Path()) -> T:
    """*value* as a *kind*; files are relative to *base*. Raises ShapeError."""
    reader = _Reader(base)
    result = reader.value(kind, value, where)
    if reader.problems:
        raise ShapeError(reader.problems)
    return typing.cast(T, result)


class _Reader:
    def __init__(self, base: Path) -> None:
        self.base = base
        self.problems: list[Problem] = []

    def wrong(self, where: Where, message: str) -> None:
        self.problems.append(Problem(where, message))

    def value(self, kind: Any, value: object, where: Where) -> Any:
        """What *value* means where a *kind* is wanted; notes a problem and gives None if it means nothing."""
        kind = _bare(kind)
        origin = typing.get_origin(kind)
        if kind is Any:
            return _plain(value)
        if origin is Literal:
            return self._choice(typing.get_args(kind), value, where)
        if origin in (typing.Union, types.UnionType):
            return self._union(typing.get_args(kind), value, where)
        if origin in (list, Sequence):
            return self._list(typing.get_args(kind)[0], value, where)
        if origin in (dict, Mapping):
            return self._mapping(typing.get_args(kind)[1], value, where)
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            return self._dataclass(kind, value, where)
        return self._single(kind, value, where)

    def _choice(self, choices: tuple[Any, ...], value: object, where: Where) -> Any:
        for choice in choices:
            if value == choice and isinstance(value, bool) == isinstance(choice, bool):
                return choice
        self.wrong(where, f"must be one of {', '.join(map(str, choices))}, not {value!r}")
        return None

    def _union(self, kinds: tuple[Any, ...], value: object, where: Where) -> Any:
        if value is None and type(None) in kinds:
            return None
        kinds = tuple(kind for kind in kinds if kind is not type(None))
        attempts = []
        for kind in kinds:
            attempt = _Reader(self.base)
            result = attempt.value(kind, value, where)
            if not attempt.problems:
                return result
            attempts.append((attempt, _suits(kind, value)))
        best = next((attempt for attempt, suits in attempts if suits), None)
        if best is None and len(attempts) > 1:
            wanted = " or ".join(dict.fromkeys(_name(kind) for kind in kinds))
            self.wrong(where, f"must be {wanted}, not {_shown(value)}")
        else:
            self.problems += (best or attempts[0][0]).problems
        return None

    def _list(self, item: Any, value: object, where: Where) -> Any:
        if isinstance(value, Sequence) and not isinstance(value, str | bytes):
            return [self.value(item, each, (*where, index)) for index, each in enumerate(value)]
        return [self.value(item, value, where)]

    def _mapping(self, item: Any, value: object, where: Where) -> Any:
        if not isinstance(value, Mapping):
            self.wrong(where, f"must be a mapping of names to {_name(item)}, not {_shown(value)}")
            return None
        return {str(key): self.value(item, each, (*where, str(key))) for key, each in value.items()}

    def _dataclass(self, kind: Any, value: object, where: Where) -> Any:
        if isinstance(value, kind):
            return value
        shorthand: Callable[[object], Mapping[str, Any] | None] | None = getattr(kind, "shorthand", None)
        if shorthand is not None and not isinstance(value, Mapping):
            value = shorthand(value)
        if not isinstance(value, Mapping):
            self.wrong(where, f"must be a mapping with {', '.join(fields(kind))}, not {_shown(value)}")
            return None
        known, before = fields(kind), len(self.problems)
        for name in value:
            if name not in known:
                self.wrong((*where, str(name)), _unknown(str(name), known))
        given = {
            name: self.value(known[name], value[name], (*where, name)) for name in known if name in value
        }
        for name in _required(kind):
            if name not in given:
                self.wrong(where, f"{name} is missing")
        if len(self.problems) > before:
            return None
        try:
            return kind(**given)
        except ShapeError as problem:
            self.problems += [Problem((*where, *inner), message) for inner, message in problem.problems]
        except ValueError as problem:
            self.wrong(where, str(problem))
        return None

    def _single(self, kind: Any, value: object, where: Where) -> Any:
        if kind is File and isinstance(value, str):
            return File((self.base / Path(value).expanduser()).absolute())
        if kind is str and type(value) is int:
            return str(value)
        if kind is float and type(value) is int:
            return float(value)
        if (
            kind in (str, int, float, bool)
            and isinstance(value, kind)
            and (type(value) is not bool or kind is bool)
        ):
            return kind(value)
        reader: Any = QUANTITIES.get(kind, kind)
        if hasattr(reader, "read"):
            try:
                return reader.read(value)
            except ValueError as problem:
                self.wrong(where, str(problem))
                return None
        hint = f": write {str(value)!r}, in quotes" if kind is str and isinstance(value, float | bool) else ""
        self.wrong(where, f"must be {_name(kind)}, not {_shown(value)}{hint}")
        return None


@cache
def fields(kind: Any) -> dict[str, Any]:
    """The fields of a dataclass that are written in data, with their annotations."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}


def _required(kind: type[Any]) -> list[str]:
    missing = dataclasses.MISSING
    return [
        field.name
        for field in dataclasses.fields(kind)
        if field.init and field.default is missing and field.default_factory is missing
    ]


def _bare(kind: Any) -> Any:
    return typing.get_args(kind)[0] if typing.get_origin(kind) is Annotated else kind


def _plain(value: object) -> Any:
    """Without the classes of the YAML library."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(each) for each in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    nearest = difflib.get_close_matches(name, known, 1, 0.6)
    hint = f"did you mean {nearest[0]}?" if nearest else f"known are {', '.join(known)}"
    return f"there is no {name!r} here; {hint}"


def _suits(kind: Any, value: object) -> bool:
    """Whether *value* has the outer form of a *kind*, so that what is wrong must be inside."""
    kind = _bare(kind)
    origin = typing.get_origin(kind)
    if isinstance(value, Mapping):
        return dataclasses.is_dataclass(kind) or origin in (dict, Mapping)
    if isinstance(value, str):
        return kind in QUANTITIES or hasattr(kind, "read") or origin is Literal
    return isinstance(value, Sequence) and origin in (list, Sequence)


def _name(kind: Any) -> str:
    kind = _bare(kind)
    origin = typing.get_origin(kind)
    if origin in (list, Sequence):
        return f"a list of {_name(typing.get_args(kind)[0])}"
    if origin in (dict, Mapping) or dataclasses.is_dataclass(kind):
        return "a mapping"
    if origin is Literal:
        return f"one of {', '.join(map(str, typing.get_args(kind)))}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_name(each) for each in typing.get_args(kind) if each is not type(None))
    spoken_names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
    return spoken_names.get(kind) or f"a {kind.__name__.lower()}"


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    text = "a mapping" if isinstance(value, Mapping) else "a list" if isinstance(value, list) else repr(value)
    return text if len(text) < 60 else f"{text[:57]}..."


# The same as JSON Schema, draft 2020-12


def schema(kind: Any) -> dict[str, Any]:
    """What `read` accepts for *kind*."""
    if typing.get_origin(kind) is Annotated:
        bare, *notes = typing.get_args(kind)
        text = next((note for note in notes if isinstance(note, str)), None)
        return schema(bare) | ({"description": text} if text else {})
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return {}
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [schema(each) for each in args]}
    if origin in (list, Sequence):
        item = schema(args[0])
        return {"anyOf": [{"type": "array", "items": item}, item]}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": schema(args[1])}
    if dataclasses.is_dataclass(kind):
        return _object_schema(kind)
    simple = {str: ["string", "integer"], int: "integer", float: "number", bool: "boolean",
              types.NoneType: "null", File: "string"}  # fmt: skip
    if kind in QUANTITIES:
        return dict(QUANTITIES[kind].schema)
    return {"type": simple[kind]} if kind in simple else dict(kind.schema())


def _object_schema(kind: Any) -> dict[str, Any]:
    result: dict[str, Any] = {
        "type": "object",
        "properties": {name: schema(annotation) for name, annotation in fields(kind).items()},
        "additionalProperties": False,
    }
    if required := _required(kind):
        result["required"] = required
    shorthand: Callable[[], dict[str, Any]] | None = getattr(kind, "shorthand_schema", None)
    return {"anyOf": [shorthand(), result]} if shorthand else result
