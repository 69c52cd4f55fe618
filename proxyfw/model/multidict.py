"""Ordered dictionaries whose keys may occur more than once: one that owns its pairs, one that is a live view.

They neither know HTTP nor copy what they are a view of.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import (
    Callable,
    Hashable,
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    MutableMapping,
    Sequence,
    ValuesView,
)
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
Pairs = Sequence[tuple[K, V]]


def replaced(
    pairs: Pairs[K, V], normal: Callable[[K], Hashable], key: K, values: Iterable[V]
) -> list[tuple[K, V]]:
    """*pairs* with exactly *values* for *key*: place and spelling of those there are kept."""
    wanted = normal(key)
    rest = iter(list(values))
    out: list[tuple[K, V]] = []
    for pair in pairs:
        if normal(pair[0]) != wanted:
            out.append(pair)
            continue
        for value in rest:
            out.append((pair[0], value))
            break
    out.extend((key, value) for value in rest)
    return out


class MultiMapping(MutableMapping[K, V]):
    """What all multi-dicts share; a subclass says how its pairs are read and written.

    Indexing gives the first value of a key (a subclass may reduce differently); `get_all` gives every one.
    """

    __slots__ = ()

    @abstractmethod
    def _read(self) -> Pairs[K, V]: ...

    @staticmethod
    def _normal(key: K) -> Hashable:
        return key

    @staticmethod
    def _reduce(values: list[V]) -> V:
        return values[0]

    def __getitem__(self, key: K) -> V:
        values = self.get_all(key)
        if not values:
            raise KeyError(key)
        return self._reduce(values)

    def __setitem__(self, key: K, value: V) -> None:
        self.set_all(key, [value])

    def __delitem__(self, key: K) -> None:
        if key not in self:
            raise KeyError(key)
        self.set_all(key, ())

    def __contains__(self, key: object) -> bool:
        return bool(self.get_all(key))  # type: ignore[arg-type]  # a foreign key is simply not found

    def __iter__(self) -> Iterator[K]:
        return iter([key for key, _ in self._entries(False)])

    def __len__(self) -> int:
        return len({self._normal(key) for key, _ in self._read()})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MultiMapping):
            return NotImplemented
        return list(self._read()) == list(other._read())

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"{type(self).__name__}[{', '.join(f'{key!r}: {value!r}' for key, value in self._read())}]"

    def get_all(self, key: K) -> list[V]:
        """Every value of *key* in order; empty if there is none."""
        wanted = self._normal(key)
        return [value for name, value in self._read() if self._normal(name) == wanted]

    @abstractmethod
    def set_all(self, key: K, values: Iterable[V]) -> None:
        """Give *key* exactly *values*: earlier ones are replaced in place, more go to the end."""

    @abstractmethod
    def insert(self, index: int, key: K, value: V) -> None:
        """Put one more value for *key* at *index*, as in `list.insert`."""

    @abstractmethod
    def add(self, key: K, value: V) -> None:
        """Append one more value for *key*; those that are there stay."""

    def keys(self, multi: bool = False) -> KeysView[K]:
        """The keys: each once, or with *multi* as often as it occurs."""
        return _Keys(self, multi)

    def values(self, multi: bool = False) -> ValuesView[V]:
        """One value a key, or with *multi* every value."""
        return _Values(self, multi)

    def items(self, multi: bool = False) -> ItemsView[K, V]:
        """One pair a key, or with *multi* every pair."""
        return _Items(self, multi)

    def _entries(self, multi: bool) -> Pairs[K, V]:
        if multi:
            return self._read()
        grouped: dict[Hashable, tuple[K, list[V]]] = {}
        for key, value in self._read():
            grouped.setdefault(self._normal(key), (key, []))[1].append(value)
        return [(key, self._reduce(values)) for key, values in grouped.values()]


class _PairMapping(MultiMapping[K, V]):
    """Edits by writing all pairs anew."""

    __slots__ = ()

    @abstractmethod
    def _write(self, pairs: list[tuple[K, V]]) -> None: ...

    def set_all(self, key: K, values: Iterable[V]) -> None:
        self._write(replaced(self._read(), self._normal, key, values))

    def add(self, key: K, value: V) -> None:
        self._write([*self._read(), (key, value)])

    def insert(self, index: int, key: K, value: V) -> None:
        pairs = list(self._read())
        pairs.insert(index, (key, value))
        self._write(pairs)


class MultiDict(_PairMapping[K, V]):
    """A multi-dict that owns its pairs: ``MultiDict([("a", "1"), ("a", "2")])``."""

    __slots__ = ("_pairs",)

    def __init__(self, fields: Iterable[tuple[K, V]] = ()) -> None:
        self._pairs = [(key, value) for key, value in fields]

    @property
    def fields(self) -> tuple[tuple[K, V], ...]:
        """All pairs in order; assign to replace them."""
        return tuple(self._pairs)

    @fields.setter
    def fields(self, fields: Iterable[tuple[K, V]]) -> None:
        self._write([(key, value) for key, value in fields])

    def copy(self) -> MultiDict[K, V]:
        """A multi-dict of the same kind with the same pairs."""
        return type(self)(self._pairs)

    def _read(self) -> Pairs[K, V]:
        return self._pairs

    def _write(self, pairs: list[tuple[K, V]]) -> None:
        self._pairs = pairs


class MultiDictView(_PairMapping[K, V]):
    """A live view: every read asks *getter*, every edit is handed to *setter* as the new list of pairs."""

    __slots__ = ("_getter", "_setter")

    def __init__(
        self, getter: Callable[[], Pairs[K, V]], setter: Callable[[Sequence[tuple[K, V]]], None]
    ) -> None:
        self._getter = getter
        self._setter = setter

    @property
    def fields(self) -> tuple[tuple[K, V], ...]:
        """All pairs in order, as they are now; assign to replace them."""
        return tuple(self._getter())

    @fields.setter
    def fields(self, fields: Iterable[tuple[K, V]]) -> None:
        self._setter([(key, value) for key, value in fields])

    def copy(self) -> MultiDict[K, V]:
        """The pairs of this moment, no longer tied to the message."""
        return MultiDict(self._getter())

    def _read(self) -> Pairs[K, V]:
        return self._getter()

    def _write(self, pairs: list[tuple[K, V]]) -> None:
        self._setter(pairs)


class _View(Generic[K, V]):
    __slots__ = ()
    _source: MultiMapping[K, V]
    _multi: bool

    def _now(self) -> Pairs[K, V]:
        return self._source._entries(self._multi)

    def __len__(self) -> int:
        return len(self._source._read() if self._multi else self._source)


class _Keys(_View[K, V], KeysView[K]):
    __slots__ = ("_multi", "_source")

    def __init__(self, source: MultiMapping[K, V], multi: bool) -> None:
        super().__init__(source)
        self._source, self._multi = source, multi

    def __iter__(self) -> Iterator[K]:
        return iter([key for key, _ in self._now()])


class _Values(_View[K, V], ValuesView[V]):
    __slots__ = ("_multi", "_source")

    def __init__(self, source: MultiMapping[K, V], multi: bool) -> None:
        super().__init__(source)
        self._source, self._multi = source, multi

    def __iter__(self) -> Iterator[V]:
        return iter([value for _, value in self._now()])

    def __contains__(self, value: object) -> bool:
        return any(value == own for _, own in self._now())


class _Items(_View[K, V], ItemsView[K, V]):
    __slots__ = ("_multi", "_source")

    def __init__(self, source: MultiMapping[K, V], multi: bool) -> None:
        super().__init__(source)
        self._source, self._multi = source, multi

    def __iter__(self) -> Iterator[tuple[K, V]]:
        return iter(self._now())

    def __contains__(self, item: object) -> bool:
        return item in self._now()
