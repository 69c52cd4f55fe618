"""The settings of one proxy: declared with a type and a default, read as attributes, changed all or nothing.

Whoever needs a setting declares it (`Options.add_option`); whoever must react to changes subscribes. Nothing
here knows an addon or the command line: text comes in through `Options.set`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from proxyfw.addon.kinds import Kind, kind_of
from proxyfw.exceptions import AddonError, OptionsError

_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


class UnknownOption(OptionsError, AttributeError):
    """No option of this name is declared; an `AttributeError` too, so that ``hasattr`` works."""


@dataclass(frozen=True, slots=True)
class Option:
    """A declared option. *source* names the addon that declared it; None if that has been removed."""

    name: str
    typespec: Any
    default: Any
    help: str
    choices: tuple[Any, ...] | None = None
    source: str | None = "proxyfw"

    @property
    def kind(self) -> Kind:
        """The type as something that can check and read values."""
        return kind_of(self.typespec)

    def check(self, value: object) -> Any:
        """*value* as it will be stored; raises `OptionsError` if type or choice is wrong."""
        kind = self.kind
        checked = kind.check(self.name, value)
        if self.choices is not None and checked is not None:
            for item in checked if kind.sequence else [checked]:
                if item not in self.choices:
                    raise OptionsError(
                        f"option {self.name} must be one of {', '.join(map(str, self.choices))}, not {item!r}"
                    )
        return checked

    def same_as(self, other: Option) -> bool:
        """Whether both declare the same thing, whoever does."""
        return (self.kind, self.default, self.choices) == (other.kind, other.default, other.choices)


@dataclass(frozen=True, slots=True)
class _Text:
    """Values given as text for an option that is not declared yet; None stands for a bare name."""

    values: list[str | None]


Subscriber = Callable[[set[str]], None]


class Options:
    """The values of all declared options, as plain attributes (``options.listen_port``).

    Values given to the constructor may be of options that are declared later. Setting an attribute is an
    `update` of one option. Reading or changing an unknown one raises `OptionsError` naming the nearest.
    """

    def __init__(self, **values: Any) -> None:
        own = self.__dict__
        own["_options"] = {}
        own["_deferred"] = {}
        own["_subscribers"] = []
        self._deferred.update(values)

    _options: dict[str, Option]
    _deferred: dict[str, Any]
    _subscribers: list[Subscriber]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self._unknown(name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.update(**{name: value})

    def __contains__(self, name: object) -> bool:
        return name in self._options

    def __iter__(self) -> Iterator[str]:
        return iter(self._options)

    def __repr__(self) -> str:
        changed = ", ".join(
            f"{name}={self.__dict__[name]!r}" for name in self._options if self.has_changed(name)
        )
        return f"Options({changed})"

    # declaring

    def add_option(
        self,
        name: str,
        typespec: Any,
        default: Any,
        help: str,
        choices: Iterable[Any] | None = None,
        *,
        source: str = "proxyfw",
    ) -> None:
        """Declare an option; a value given for it earlier (`deferred`) takes effect now.

        *typespec* is bool, int, float, str, ``Sequence[str]`` or one of the first four ``| None``. Declaring
        the same again changes nothing; declaring something else under a name that another *source* holds
        raises `AddonError`. A wrong default raises `AddonError`, a wrong deferred value `OptionsError`.
        """
        option = Option(name, typespec, default, help, None if choices is None else tuple(choices), source)
        self._check_declaration(option)
        known = self._options.get(name)
        if known is not None and known.source not in (source, None):
            if known.same_as(option):
                return
            raise AddonError(
                f"option {name!r} is declared by {known.source} and, differently, by {source}: rename one"
            )
        value = self._first_value(option, known)
        self._options[name] = option
        self.__dict__[name] = value
        self._deferred.pop(name, None)

    def release(self, source: str) -> None:
        """The addon *source* is gone: what it declared stays readable, but others may declare it anew."""
        for option in self.options_of(source):
            self._options[option.name] = replace(option, source=None)

    def _check_declaration(self, option: Option) -> None:
        if not option.name.isidentifier() or option.name.startswith("_") or hasattr(Options, option.name):
            raise AddonError(f"{option.source}: {option.name!r} cannot be the name of an option")
        try:
            option.check(option.default)
        except OptionsError as problem:
            raise AddonError(f"{option.source}: the default is wrong: {problem}") from None

    def _first_value(self, option: Option, known: Option | None) -> Any:
        if option.name in self._deferred:
            given = self._deferred[option.name]
            return self._read(option, given.values) if isinstance(given, _Text) else option.check(given)
        if known is not None and self.has_changed(option.name):
            try:
                return option.check(self.__dict__[option.name])
            except OptionsError:
                pass  # the option has changed its type: the old value means nothing any more
        return option.check(option.default)

    # reading

    def keys(self) -> list[str]:
        """The names of all declared options, in order of declaration."""
        return list(self._options)

    def items(self) -> list[tuple[str, Any]]:
        """Names and values of all declared options."""
        return [(name, self.__dict__[name]) for name in self._options]

    def option(self, name: str) -> Option:
        """How *name* was declared."""
        try:
            return self._options[name]
        except KeyError:
            raise self._unknown(name) from None

    def options_of(self, source: str) -> list[Option]:
        """What one addon declared."""
        return [option for option in self._options.values() if option.source == source]

    def default(self, name: str) -> Any:
        """The value *name* has if nobody sets it."""
        option = self.option(name)
        return option.check(option.default)

    def has_changed(self, name: str) -> bool:
        """Whether *name* has another value than its default."""
        return bool(self.__dict__[self.option(name).name] != self.default(name))

    # changing

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call *subscriber* with the changed names after each change; its `OptionsError` undoes it."""
        self._subscribers.append(subscriber)

    def update(self, **changes: Any) -> None:
        """Change several options at once: all of them, or on `OptionsError` none.

        Subscribers are called with the names whose value is another than before. If one of them refuses, the
        old values come back and all are called again.
        """
        checked = {name: self.option(name).check(value) for name, value in changes.items()}
        before = {name: self.__dict__[name] for name in checked}
        changed = {name for name in checked if checked[name] != before[name]}
        if not changed:
            return
        self.__dict__.update(checked)
        try:
            self._notify(changed)
        except OptionsError:
            self.__dict__.update(before)
            self._notify_undone(changed)
            raise

    def _notify(self, changed: set[str]) -> None:
        for subscriber in list(self._subscribers):
            subscriber(set(changed))

    def _notify_undone(self, changed: set[str]) -> None:
        for subscriber in list(self._subscribers):
            try:
                subscriber(set(changed))
            except OptionsError:
                pass  # it refused the new values, and has held the old ones before

    def reset(self, *names: str) -> None:
        """Give *names* (all options, if none are given) their defaults again."""
        self.update(**{name: self.default(name) for name in names or self._options})

    def set(self, *specs: str, defer: bool = False) -> None:
        """Change options from text: ``name=value``, ``name`` (true, or empty), ``name=`` (empty).

        ``name=toggle`` inverts a bool. A sequence takes the values of all its *specs*; of anything else the
        last counts. With *defer* the names that are not declared yet wait until they are.
        """
        texts: dict[str, list[str | None]] = {}
        for spec in specs:
            name, equals, value = spec.partition("=")
            texts.setdefault(name.strip(), []).append(value if equals else None)
        later = {name: _Text(values) for name, values in texts.items() if defer and name not in self._options}
        self.update(
            **{
                name: self._read(self.option(name), values)
                for name, values in texts.items()
                if name not in later
            }
        )
        self._deferred.update(later)

    def _read(self, option: Option, texts: Sequence[str | None]) -> Any:
        return option.check(option.kind.read(option.name, texts, self.__dict__.get(option.name)))

    # values for options that are not declared yet

    @property
    def deferred(self) -> list[str]:
        """Names that were given a value and that nobody has declared yet."""
        return list(self._deferred)

    def update_defer(self, **changes: Any) -> None:
        """As `update`, but values of options that are not declared yet wait until they are."""
        later = {name: value for name, value in changes.items() if name not in self._options}
        self.update(**{name: value for name, value in changes.items() if name not in later})
        self._deferred.update(later)

    def check_deferred(self) -> None:
        """Raise `OptionsError` if values wait for options that nobody declared; for when all are loaded."""
        if self._deferred:
            raise OptionsError("; ".join(str(self._unknown(name)) for name in self._deferred))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Undo declarations, deferred values and changes made inside if an exception leaves the block."""
        options, deferred = dict(self._options), dict(self._deferred)
        values = {name: self.__dict__[name] for name in options}
        try:
            yield
        except BaseException:
            for name in self._options:
                del self.__dict__[name]
            self.__dict__.update(values, _options=options, _deferred=deferred)
            raise

    def _unknown(self, name: str) -> UnknownOption:
        nearest = difflib.get_close_matches(name, self._options, 1, 0.6)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        return UnknownOption(f"unknown option {name!r}{hint}")


def parse_size(text: str) -> int:
    """The number of bytes that ``512``, ``64k``, ``1.5g`` mean (powers of 1024); else `OptionsError`."""
    number = text.strip().lower().removesuffix("ib")
    digits = number.rstrip("bkmgt")
    try:
        size = int(float(digits) * _UNITS[number[len(digits) :].removesuffix("b")])
    except (ValueError, KeyError, OverflowError):
        size = -1
    if size < 0:
        raise OptionsError(f"{text!r} is not a size: write a number of bytes, or 64k, 5m, 1g")
    return size


def format_size(size: int) -> str:
    """*size* bytes for people: ``512b``, ``1.5k``, ``5m``; the inverse of `parse_size` up to rounding."""
    value: float = size
    for unit in "bkmg":
        if abs(value) < 1024:
            return f"{value:.3g}{unit}" if value != int(value) else f"{int(value)}{unit}"
        value /= 1024
    return f"{value:.3g}t"
