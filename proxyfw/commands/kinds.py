"""The kinds of a command's parameters: from an annotation to how text is read and values are checked."""

from __future__ import annotations

import collections.abc
import re
import types as python_types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from proxyfw import types
from proxyfw.exceptions import CommandError
from proxyfw.flow import Flow

from .flows import Flows

SUPPORTED = (
    "str, int, float, bool, bytes, Sequence[str], Sequence[int], Flow, Sequence[Flow], a name of "
    "proxyfw.types, or one of these | None"
)
_ESCAPE = re.compile(rb"\\(x([0-9a-fA-F]{2})|[rnt0\\])")
_ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}


class Known(Protocol):
    """What reading may ask: the flows there are, and the commands."""

    @property
    def flows(self) -> Flows: ...

    @property
    def commands(self) -> Mapping[str, object]: ...

    def call(self, name: str, *args: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """*name* in a usage, what it is in words, *read* from text, whether a value *fits*.

    `read` raises ValueError where *words* say enough, `CommandError` or FilterError elsewhere.
    """

    name: str
    words: str
    read: Callable[[str, Known], Any]
    fits: Callable[[object], bool]


def kind_of(annotation: Any) -> Kind | None:
    """The kind of a parameter with this annotation, None if it cannot be one."""
    if isinstance(annotation, types.Choice):
        return _choice(annotation)
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, python_types.UnionType):
        return _optional([arg for arg in args if arg is not type(None)], len(args))
    if origin in (collections.abc.Sequence, list):
        return _sequence(args[0])
    return _flow(annotation) if _is_flow(annotation) else None


def _optional(kinds: list[Any], members: int) -> Kind | None:
    inner = kind_of(kinds[0]) if len(kinds) == 1 and members == 2 else None
    if inner is None:
        return None
    read, fits = inner.read, inner.fits
    return replace(
        inner,
        words=f"{inner.words} or empty",
        read=lambda text, known: read(text, known) if text else None,
        fits=lambda value: value is None or fits(value),
    )


def _sequence(item: Any) -> Kind | None:
    if _is_flow(item):
        return _flows(item)
    if item not in (str, int):
        return None

    def read(text: str, known: Known) -> list[Any]:
        return [item(part.strip()) for part in text.split(",") if part.strip()]

    return Kind(f"{item.__name__}[]", f"a sequence of {item.__name__}", read, _all_are(item))


def _all_are(item: type) -> Callable[[object], bool]:
    return lambda value: (
        isinstance(value, Sequence)
        and not isinstance(value, str | bytes)
        and all(isinstance(v, item) for v in value)
    )


def _is_flow(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Flow)


def _flows(kind: type[Flow]) -> Kind:
    def read(text: str, known: Known) -> list[Flow]:
        return [flow for flow in known.flows.select(text) if isinstance(flow, kind)]

    return Kind("flow[]", f"a sequence of {kind.__name__}", read, _all_are(kind))


def _flow(kind: type[Flow]) -> Kind:
    def read(text: str, known: Known) -> Flow:
        found = known.flows.select(text)
        if len(found) != 1:
            raise CommandError(f"{text} means {len(found) or 'no'} flows; exactly one is needed")
        if not isinstance(found[0], kind):
            raise CommandError(f"{text} is a flow of type {found[0].type}; a {kind.__name__} is needed")
        return found[0]

    return Kind("flow", kind.__name__, read, lambda value: isinstance(value, kind))


def _choice(choice: types.Choice) -> Kind:
    def read(text: str, known: Known) -> str:
        words = [str(word) for word in known.call(choice.options_command)]
        if text not in words:
            raise CommandError(f"{text!r} is none of {', '.join(words)}")
        return text

    return Kind("choice", f"one of what {choice.options_command} says", read, _is(str))


def _is(*kinds: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kinds)


def _is_number(*kinds: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kinds) and not isinstance(value, bool)


def _read_bool(text: str, known: Known) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _read_bytes(text: str, known: Known) -> bytes:
    r"""*text* in UTF-8, with its escapes: ``\r``, ``\n``, ``\t``, ``\0``, ``\\``, ``\x1b``."""
    raw = text.encode("utf-8", "surrogateescape")
    return _ESCAPE.sub(_escaped, raw) if b"\\" in raw else raw


def _escaped(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[2], 16)]) if match[2] else _ESCAPES[match[1]]


def _read_command(text: str, known: Known) -> str:
    if text not in known.commands:
        raise CommandError(f"there is no command {text!r}")
    return types.Cmd(text)


def _read_data(text: str, known: Known) -> Any:
    raise CommandError("a table cannot be given as text: call the command with rows")


def _text(name: str) -> Kind:
    return Kind(name, "text", lambda text, known: text, _is(str))


_PLAIN: dict[Any, Kind] = {
    str: _text("str"),
    int: Kind("int", "int", lambda text, known: int(text), _is_number(int)),
    float: Kind("float", "float", lambda text, known: float(text), _is_number(int, float)),
    bool: Kind("bool", "bool (true or false)", _read_bool, _is(bool)),
    bytes: Kind("bytes", "bytes", _read_bytes, _is(bytes)),
    types.Path: Kind("path", "a path", lambda text, known: types.Path(Path(text).expanduser()), _is(str)),
    types.Cmd: Kind("cmd", "the name of a command", _read_command, _is(str)),
    types.CmdArgs: _text("arg"),
    types.Marker: _text("marker"),
    types.Unknown: _text("unknown"),
    types.CutSpec: Kind(
        "cut[]",
        "names of attributes",
        lambda text, known: [part.strip() for part in text.split(",") if part.strip()],
        _all_are(str),
    ),
    types.Data: Kind("data[][]", "rows", _read_data, lambda value: isinstance(value, Sequence)),
}
