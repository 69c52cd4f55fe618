"""The types an option may have: how a value is checked and kept, read from text, and written down again."""

from __future__ import annotations

import collections.abc
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from proxyfw.addon.data import freeze, read_data, thaw
from proxyfw.addon.quantities import Duration, Size
from proxyfw.exceptions import AddonError, OptionsError

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_SEQUENCES = (collections.abc.Sequence, list, tuple)
_SCALARS: dict[Any, str] = {
    bool: "bool", int: "int", float: "float", str: "str", Size: "size", Duration: "duration",
}  # fmt: skip
_USABLE = (
    "use bool, int, float, str, Size, Duration, Literal, a Sequence of them, one of these | None, or dict,"
    " list or Data for nested data"
)


class Data:
    """As the type of an option: nested data, made of mappings, lists, text, numbers, booleans and None."""


_STRUCTURES: dict[Any, str] = {Data: "data", dict: "mapping", list: "list"}


@dataclass(frozen=True, slots=True)
class Kind:
    """One type. *base* is that of the items for a sequence, `Data`, ``dict`` or ``list`` for nested data.

    *mappings*: the items of the list are mappings. *choices*: those of a ``Literal``.
    """

    base: type
    optional: bool = False
    sequence: bool = False
    mappings: bool = False
    choices: tuple[Any, ...] | None = None

    def __str__(self) -> str:
        name = "list of mappings" if self.mappings else _STRUCTURES.get(self.base) or _SCALARS[self.base]
        if self.sequence:
            name = f"sequence of {name}"
        return f"{name} or None" if self.optional else name

    @property
    def nested(self) -> bool:
        """Whether values are nested data."""
        return self.base in _STRUCTURES

    @property
    def repeatable(self) -> bool:
        """Whether a value may be given piece by piece."""
        return self.sequence or self.base is list

    @property
    def measured(self) -> bool:
        """Whether values have a unit, and more than one spelling."""
        return self.base in (Size, Duration)

    # checking

    def allowed(self, choices: Iterable[Any]) -> tuple[Any, ...]:
        """*choices* as values are kept. Raises `OptionsError` for what is none."""
        return tuple(self.base(choice) if self.measured else choice for choice in choices)

    def check(self, name: str, value: object) -> Any:
        """*value* as it will be kept: nothing in it can be changed. Raises `OptionsError`."""
        if value is None and self.optional:
            return None
        if self.nested:
            return self._check_data(name, value)
        if not self.sequence:
            return self._check_one(name, value)
        if isinstance(value, Sequence) and not isinstance(value, str | bytes):
            return tuple([self._check_one(name, item) for item in value])
        raise self._wrong(name, value)

    def _check_one(self, name: str, value: object) -> Any:
        if not self._fits(value):
            raise self._wrong(name, value)
        try:
            return self.base(value)
        except OptionsError as problem:
            raise OptionsError(f"option {name}: {problem}") from None

    def _fits(self, value: object) -> bool:
        if isinstance(value, bool):
            return self.base is bool
        if isinstance(value, int):
            return self.base in (int, float, Size, Duration)
        if isinstance(value, float):
            return self.base in (float, Duration)
        return isinstance(value, str) and self.base in (str, Size, Duration)

    def _check_data(self, name: str, value: object) -> Any:
        try:
            kept = freeze(value, name)
        except ValueError as problem:
            raise OptionsError(f"option {problem}") from None
        if self.base is not Data and not isinstance(kept, Mapping if self.base is dict else tuple):
            raise self._wrong(name, value)
        if self.mappings:
            for index, item in enumerate(kept):
                if not isinstance(item, Mapping):
                    raise OptionsError(f"option {name}[{index}] must be a mapping, not {item!r}")
        return kept

    def _wrong(self, name: str, value: object) -> OptionsError:
        shown = repr(value)
        return OptionsError(
            f"option {name} must be {self}, not {shown if len(shown) < 200 else shown[:200] + '…'}"
        )

    # reading text

    def read(self, name: str, texts: Sequence[str | None], current: object) -> Any:
        """The value that *texts* mean, given one after the other; None is a bare name without a value."""
        if self.repeatable:
            return self._read_all(name, texts)
        text = texts[-1]
        if self.base is bool:
            return self._read_bool(name, text, current)
        if not text and self.optional:
            return None
        if text is None:
            raise OptionsError(f"option {name} needs a value: {name}=…")
        return self._read_one(name, text)

    def _read_all(self, name: str, texts: Sequence[str | None]) -> list[Any]:
        values = [self._read_one(name, text) for text in texts if text]
        if not self.nested:
            return values
        return [item for value in values for item in (value if isinstance(value, list) else [value])]

    def _read_one(self, name: str, text: str) -> Any:
        if self.base is bool:
            return self._read_bool(name, text, None)
        try:
            return read_data(text) if self.nested else self.base(text)
        except OptionsError as problem:
            raise OptionsError(f"option {name}: {problem}") from None
        except ValueError as problem:
            if self.nested:
                raise OptionsError(f"option {name} must be {self}, as JSON or YAML: {problem}") from None
            raise self._wrong(name, text) from None

    def _read_bool(self, name: str, text: str | None, current: object) -> Any:
        word = "true" if text is None else text.strip().lower()
        if word == "toggle":
            return not current
        if not word and self.optional:
            return None
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        raise OptionsError(f"option {name} must be true or false, not {text!r}")

    # giving

    def plain(self, kept: object) -> Any:
        """A kept value as YAML and JSON have it: dicts, lists, text for what has units."""
        if isinstance(kept, Size | Duration):
            return str(kept)
        return (
            [self.plain(item) for item in kept] if isinstance(kept, tuple) and not self.nested else thaw(kept)
        )


def items_of(text: str) -> list[str]:
    """The texts of the items that *text* holds: a list in JSON, or one item on each line."""
    if text.startswith("["):
        import json

        try:
            return [item if isinstance(item, str) else json.dumps(item) for item in json.loads(text)]
        except ValueError:
            pass  # a regular expression, say
    return text.splitlines()


def kind_of(typespec: Any) -> Kind:
    """The `Kind` of an annotation such as ``int | None`` or ``Sequence[str]``; raises `AddonError`."""
    try:
        kind = _kind_of(typespec)
    except TypeError:  # it cannot be hashed: no type at all
        kind = None
    if kind is None:
        raise AddonError(f"{typespec!r} cannot be the type of an option: {_USABLE}")
    return kind


@cache
def _kind_of(typespec: Any) -> Kind | None:
    origin, args = typing.get_origin(typespec), typing.get_args(typespec)
    if typespec in _SCALARS or typespec in _STRUCTURES:
        return Kind(typespec)
    if typespec is Any:
        return Kind(Data)
    if origin is typing.Literal:
        return _kind_of_literal(args)
    if origin in (typing.Union, types.UnionType):
        return _kind_of_optional(args)
    if origin is dict and args[0] is str:
        return Kind(dict)
    if origin in _SEQUENCES and (len(args) == 1 or args[1:] == (...,)):
        return _kind_of_sequence(args[0])
    return None


def _kind_of_literal(values: tuple[Any, ...]) -> Kind | None:
    base = type(values[0])
    if base not in (int, str) or any(type(value) is not base for value in values):
        return None
    return Kind(base, choices=values)


def _kind_of_optional(args: tuple[Any, ...]) -> Kind | None:
    inner = [arg for arg in args if arg is not type(None)]
    kind = _kind_of(inner[0]) if len(inner) == 1 < len(args) else None
    return kind and replace(kind, optional=True)


def _kind_of_sequence(item: Any) -> Kind | None:
    kind = _kind_of(item)
    if kind is None or kind.optional or kind.sequence or kind.base is list:
        return None
    if kind.nested:
        return Kind(list, mappings=kind.base is dict)
    return replace(kind, sequence=True)
