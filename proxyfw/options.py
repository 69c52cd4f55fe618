"""The settings of one proxy: declared with a type and a default, read as attributes, changed all or nothing.

Whoever needs a setting declares it (`Options.add_option`); whoever must react to changes subscribes. Nothing
here knows an addon or the command line: text comes in through `Options.set`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from proxyfw.addon.data import thaw
from proxyfw.addon.kinds import Data
from proxyfw.addon.option import Given, Option, check_flags
from proxyfw.addon.quantities import Duration, Size, format_size, parse_duration, parse_size
from proxyfw.exceptions import AddonError, FilterError, OptionsError

if TYPE_CHECKING:
    from proxyfw.flowfilter import Filter

__all__ = [
    "Data",
    "Duration",
    "Given",
    "Option",
    "Options",
    "Size",
    "Snapshot",
    "UnknownOption",
    "format_size",
    "parse_duration",
    "parse_filter",
    "parse_size",
]


class UnknownOption(OptionsError, AttributeError):
    """No option of this name is declared; an `AttributeError` too, so that ``hasattr`` works."""


class Snapshot:
    """What all options were at one moment, as attributes: nothing of it ever changes.

    Sequences are tuples; nested data is tuples and read-only mappings.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise unknown(name, self.__dict__)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a snapshot cannot be changed: set {name} of the options themselves")


Subscriber = Callable[[set[str]], None]


class Options:
    """The values of all declared options, as plain attributes (``options.listen_port``).

    Values given to the constructor may be of options that are declared later. Setting an attribute is an
    `update` of one option. Reading or changing an unknown one raises `OptionsError` naming the nearest.

    A sequence is read as a list, nested data as dicts and lists, and both are the reader's own: changing
    them changes no option until they are assigned. Who reads often keeps a `snapshot`.
    """

    def __init__(self, **values: Any) -> None:
        own = self.__dict__
        own["_options"] = {}
        own["_values"] = {}
        own["_deferred"] = {}
        own["_finder"] = None
        own["_subscribers"] = []
        own["_snapshot"] = None
        self.update_defer(**values)

    _options: dict[str, Option]
    _values: dict[str, Any]
    """As kinds keep them. Those that nobody can change are attributes too, for the sake of speed."""
    _deferred: dict[str, Given]
    _subscribers: list[Subscriber]
    _snapshot: Snapshot | None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return thaw(self._values[self._found(name)])
        except KeyError:
            raise unknown(name, self._options) from None

    def _found(self, name: str) -> str:
        """*name*, after whoever may declare an option of that name has been asked to."""
        if name not in self._options and self.__dict__["_finder"] is not None:
            self.__dict__["_finder"](name)
        return name

    def __setattr__(self, name: str, value: Any) -> None:
        self.update(**{name: value})

    def __contains__(self, name: object) -> bool:
        return name in self._options

    def __iter__(self) -> Iterator[str]:
        return iter(self._options)

    def __repr__(self) -> str:
        changed = ", ".join(
            f"{name}={self.__getattr__(name)!r}" for name in self._options if self.has_changed(name)
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
        flag: str | None = None,
        short: str | None = None,
        source: str = "proxyfw",
    ) -> None:
        """Declare an option; a value given for it earlier (`deferred`) takes effect now.

        *typespec* is bool, int, float, str, `Size`, `Duration`, a ``Literal``, a ``Sequence`` of one of them,
        for nested data ``dict``, ``list`` or `Data`, and any of these ``| None``. *flag* (``--name``) and
        *short* (``-n``) are its flags on the command line: a switch for bool (one that begins with ``--no-``
        turns off), repeatable for sequences and lists.

        Declaring the same again changes nothing; declaring something else under a name that another *source*
        holds, or a flag that belongs to another option, raises `AddonError`. So do a type or a default that
        cannot be. A wrong deferred value raises `OptionsError`.
        """
        option = Option.declared(name, typespec, default, help, choices, flag, short, source)
        self._check_declaration(option)
        known = self._options.get(name)
        if known is not None and known.source not in (source, None):
            if known.same_as(option):
                return
            raise AddonError(
                f"option {name!r} is declared by {known.source} and, differently, by {source}: rename one"
            )
        check_flags(option, self._options.values())
        value = self._first_value(option, known)
        self._options[name] = option
        self._keep({name: value})
        self._deferred.pop(name, None)

    def release(self, source: str) -> None:
        """The addon *source* is gone: what it declared stays readable, but others may declare it anew."""
        for option in self.options_of(source):
            self._options[option.name] = replace(option, source=None, flag=None, short=None)

    def _check_declaration(self, option: Option) -> None:
        if not option.name.isidentifier() or option.name.startswith("_") or hasattr(Options, option.name):
            raise AddonError(f"{option.source}: {option.name!r} cannot be the name of an option")
        try:
            option.check(option.default)
        except OptionsError as problem:
            raise AddonError(f"{option.source}: the default is wrong: {problem}") from None

    def _first_value(self, option: Option, known: Option | None) -> Any:
        if option.name in self._deferred:
            return self._deferred[option.name].read(option, None)
        if known is not None and self.has_changed(option.name):
            try:
                return option.check(self._values[option.name])
            except OptionsError:
                pass  # the option has changed its type: the old value means nothing any more
        return option.check(option.default)

    # reading

    def keys(self) -> list[str]:
        """The names of all declared options, in order of declaration."""
        return list(self._options)

    def items(self) -> list[tuple[str, Any]]:
        """Names and values of all declared options."""
        return [(name, thaw(self._values[name])) for name in self._options]

    def plain_value(self, name: str) -> Any:
        """The value of *name* as YAML and JSON have it: sizes and durations as text with a unit."""
        return self.option(name).kind.plain(self._values[name])

    def snapshot(self) -> Snapshot:
        """All values as they are now, in a form that never changes; the same object until one does."""
        if self._snapshot is None:
            self.__dict__["_snapshot"] = Snapshot(self._values)
        assert self._snapshot is not None
        return self._snapshot

    def option(self, name: str) -> Option:
        """How *name* was declared."""
        try:
            return self._options[self._found(name)]
        except KeyError:
            raise unknown(name, self._options) from None

    def options_of(self, source: str) -> list[Option]:
        """What one addon declared."""
        return [option for option in self._options.values() if option.source == source]

    def default(self, name: str) -> Any:
        """The value *name* has if nobody sets it."""
        option = self.option(name)
        return thaw(option.check(option.default))

    def has_changed(self, name: str) -> bool:
        """Whether *name* has another value than its default."""
        option = self.option(name)
        return repr(self._values[name]) != repr(option.check(option.default))

    # changing

    def subscribe(self, subscriber: Callable[..., None], names: Collection[str] | None = None) -> None:
        """Call *subscriber* with the changed names after each change; its `OptionsError` undoes it.

        With *names* it is called if one of them is among the changed, and with two arguments: the options,
        and those that are. Raises `OptionsError` if one of *names* is unknown.
        """
        if names is None:
            self._subscribers.append(subscriber)
            return
        wanted = {self.option(name).name for name in names}

        def selective(updated: set[str]) -> None:
            if updated & wanted:
                subscriber(self, updated & wanted)

        self._subscribers.append(selective)

    def update(self, **changes: Any) -> None:
        """Change several options at once: all of them, or on `OptionsError` none.

        Subscribers are called with the names whose value is another than before. If one of them refuses, the
        old values come back, also of what subscribers have changed meanwhile, and all are called again.
        """
        self._change({name: self.option(name).check(value) for name, value in changes.items()})

    def _change(self, checked: dict[str, Any]) -> None:
        before = dict(self._values)
        changed = {name for name in checked if repr(checked[name]) != repr(before[name])}
        if not changed:
            return
        self._keep({name: checked[name] for name in changed})
        try:
            self._notify(changed)
        except OptionsError:
            undone = {name for name, value in before.items() if self._values.get(name, value) is not value}
            self._keep({name: before[name] for name in undone})
            self._notify_undone(undone)
            raise

    def _keep(self, checked: Mapping[str, Any]) -> None:
        own = self.__dict__
        own["_snapshot"] = None
        self._values.update(checked)
        for name, value in checked.items():
            if thaw(value) is value:
                own[name] = value
            else:
                own.pop(name, None)

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

    def set(self, *specs: str, defer: bool = False, origin: str = "") -> None:
        """Change options from text: ``name=value``, ``name`` (true, or empty), ``name=`` (empty).

        ``name=toggle`` inverts a bool. A sequence takes the values of all its *specs*; of anything else the
        last counts. Nested data is JSON or YAML. With *defer* the names that are not declared yet wait until
        they are. Errors begin with *origin*, if it is given.
        """
        texts: dict[str, list[str | None]] = {}
        for spec in specs:
            name, equals, value = spec.partition("=")
            texts.setdefault(name.strip(), []).append(value if equals else None)
        self.give(
            {name: Given(texts=tuple(found), origin=origin) for name, found in texts.items()}, defer=defer
        )

    # values for options that are not declared yet

    def give(self, given: Mapping[str, Given], *, defer: bool = True) -> None:
        """Change options to what sources say; with *defer*, those not declared yet wait until they are."""
        later = {
            name: value for name, value in given.items() if defer and self._found(name) not in self._options
        }
        now = {name: value for name, value in given.items() if name not in later}
        for name, value in now.items():
            if self._found(name) not in self._options:
                raise value.error(unknown(name, self._options))
        self._change({name: value.read(self.option(name), self._values[name]) for name, value in now.items()})
        self._deferred.update(later)

    @property
    def deferred(self) -> list[str]:
        """Names that were given a value and that nobody has declared yet."""
        return list(self._deferred)

    @property
    def deferred_values(self) -> dict[str, Given]:
        """What waits for options that nobody has declared yet."""
        return dict(self._deferred)

    def update_defer(self, **changes: Any) -> None:
        """As `update`, but values of options that are not declared yet wait until they are."""
        self.give({name: Given(value) for name, value in changes.items()})

    def check_deferred(self) -> None:
        """Raise `OptionsError` if values wait that must not; for when all addons are loaded.

        Those of sources that several runs share (`Given.required`) may wait for ever.
        """
        missing = [name for name, given in self._deferred.items() if given.required]
        for name in missing:
            self._found(name)
        if missing:
            raise OptionsError(
                "; ".join(str(self._deferred[name].error(unknown(name, self._options))) for name in missing)
            )

    def asks_for(self, names: Iterable[str], flags: Iterable[str] = ()) -> bool:
        """Whether a value waits for one of these options, or is given by one of these flags."""
        return any(name in self._deferred for name in names)

    def find_with(self, finder: Callable[[str], None]) -> None:
        """Ask *finder*, with a name, to have an option declared that is not there."""
        self.__dict__["_finder"] = finder

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Undo declarations, deferred values and changes made inside if an exception leaves the block."""
        options, deferred, values = dict(self._options), dict(self._deferred), dict(self._values)
        try:
            yield
        except BaseException:
            for name in self._options:
                self.__dict__.pop(name, None)
            self.__dict__.update(_options=options, _deferred=deferred, _values={})
            self._keep(values)
            raise


def unknown(name: str, known: Iterable[str]) -> UnknownOption:
    """The error about an option *name* that is none of *known*: it names the nearest."""
    nearest = difflib.get_close_matches(name, list(known), 1, 0.6)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    return UnknownOption(f"unknown option {name!r}{hint}")


def parse_filter(option: str, text: str | None) -> Filter | None:
    """The filter that *text*, the value of *option*, means; None if it is empty. Raises OptionsError."""
    if not text:
        return None
    from proxyfw import flowfilter  # its operators are many, and most proxies have no such option

    try:
        return flowfilter.parse(text)
    except FilterError as problem:
        raise OptionsError(f"{option}: {problem}") from None
