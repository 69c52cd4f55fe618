"""A class decorator for the few classes whose inherited methods run for every message."""

from __future__ import annotations

from types import FunctionType
from typing import TypeVar

T = TypeVar("T")


def own_code(cls: type[T]) -> type[T]:
    """Give *cls* copies of the methods that it inherits.

    CPython fits the code of a function to the class of the objects that it sees. Code that sees two of them
    in turns, as what both ends of a connection inherit does, is fitted to neither, and takes a third longer.
    """
    for base in reversed(cls.__mro__[1:-1]):
        for name, member in vars(base).items():
            if getattr(cls, name) is not member:  # it has one of its own
                continue
            if isinstance(member, FunctionType):
                setattr(cls, name, _copy(member))
            elif isinstance(member, property) and isinstance(member.fget, FunctionType):
                setattr(cls, name, property(_copy(member.fget), member.fset, member.fdel))
    return cls


def _copy(function: FunctionType) -> FunctionType:
    copy = FunctionType(
        function.__code__.replace(), function.__globals__, function.__name__, function.__defaults__,
        function.__closure__,
    )  # fmt: skip
    copy.__kwdefaults__, copy.__qualname__ = function.__kwdefaults__, function.__qualname__
    copy.__doc__, copy.__annotations__ = function.__doc__, function.__annotations__
    return copy
