"""The types an option may have: how a value is checked, and how one is read from text."""

from __future__ import annotations

import collections.abc
import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from proxyfw.exceptions import AddonError, OptionsError

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


@dataclass(frozen=True, slots=True)
class Kind:
    """One type: *base* (of the items, for a sequence), whether it may be None, whether it is a sequence."""

    base: type
    optional: bool = False
    sequence: bool = False

    def __str__(self) -> str:
        if self.sequence:
            return f"sequence of {self.base.__name__}"
        return f"{self.base.__name__} or None" if self.optional else self.base.__name__

    def check(self, name: str, value: object) -> Any:
        """*value* as it will be stored (sequences as a fresh list); raises `OptionsError`."""
        if value is None and self.optional:
            return None
        if self.sequence:
            if isinstance(value, Sequence) and not isinstance(value, str | bytes):
                return [self._check_one(name, item) for item in value]
        elif self._fits(value):
            return self.base(value)
        raise self._wrong(name, value)

    def _check_one(self, name: str, value: object) -> Any:
        if not self._fits(value):
            raise self._wrong(name, value)
        return value

    def _fits(self, value: object) -> bool:
        if isinstance(value, bool):
            return self.base is bool
        return isinstance(value, self.base) or (self.base is float and isinstance(value, int))

    def _wrong(self, name: str, value: object) -> OptionsError:
        return OptionsError(f"option {name} must be {self}, not {value!r}")

    def read(self, name: str, texts: Sequence[str | None], current: object) -> Any:
        """The value that *texts* mean, given one after the other; None is a bare name without a value."""
        if self.sequence:
            return [text for text in texts if text]
        text = texts[-1]
        if self.base is bool:
            return self._read_bool(name, text, current)
        if not text and self.optional:
            return None
        if text is None:
            raise OptionsError(f"option {name} needs a value: {name}=…")
        try:
            return self.base(text)
        except ValueError:
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


@cache
def kind_of(typespec: Any) -> Kind:
    """The `Kind` of an annotation such as ``int | None`` or ``Sequence[str]``; raises `AddonError`."""
    origin, args = typing.get_origin(typespec), typing.get_args(typespec)
    if typespec in (bool, int, float, str):
        return Kind(typespec)
    if origin in (typing.Union, types.UnionType) and len(args) == 2 and type(None) in args:
        inner = kind_of(next(arg for arg in args if arg is not type(None)))
        return Kind(inner.base, True, inner.sequence)
    if origin in (collections.abc.Sequence, list) and args == (str,):
        return Kind(str, sequence=True)
    raise AddonError(
        f"{typespec!r} cannot be the type of an option: use bool, int, float, str, Sequence[str]"
    )
