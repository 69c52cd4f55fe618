"""Header fields: an ordered list of byte pairs with a case-insensitive view of text on top.

Nothing is normalised: order, case, duplicates and odd bytes stay as they were received.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Self, TypeVar, overload

from proxyfw.model.multidict import MultiMapping, replaced

RawField = tuple[bytes, bytes]
Text = str | bytes
T = TypeVar("T")


def to_bytes(text: Text, what: str = "header names and values") -> bytes:
    """UTF-8, undecodable bytes restored. Raises TypeError, naming *what*, for anything but str and bytes."""
    if isinstance(text, bytes):
        return text
    if isinstance(text, str):
        return text.encode("utf-8", "surrogateescape")
    raise TypeError(f"{what} must be str or bytes, not {type(text).__name__}: {text!r}")


def to_str(data: bytes) -> str:
    """UTF-8, undecodable bytes kept as surrogates, so that `to_bytes` gives them back."""
    return data.decode("utf-8", "surrogateescape")


# A proxy looks up the same few names all day; a cached answer is three times faster than encoding anew.
@lru_cache(maxsize=1024)
def _normal_name(name: Text) -> bytes:
    return to_bytes(name).lower()


class Headers(MultiMapping[str, str]):
    """Header fields of a message: an ordered, case-insensitive multi-dict. RFC 9110 section 5.

    `fields` is the list of ``(name, value)`` byte pairs itself. Keys and values may be given as str or
    bytes and are read as str (UTF-8, other bytes as surrogates). ``headers["x"]`` joins repeated fields
    with ``", "``; use `get_all` for those that cannot be joined, such as Set-Cookie. Keyword arguments
    are fields too, an underscore standing for a dash: ``Headers(content_type="text/plain")``.

    Values are not checked here: what cannot be sent is refused when it is about to be sent.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[RawField] = (), **headers: Text) -> None:
        self._fields = [_checked(name, value) for name, value in fields]
        for keyword, value in headers.items():
            self[keyword.replace("_", "-")] = value

    @classmethod
    def wrap(cls, fields: list[RawField]) -> Self:
        """Headers around *fields*, which is neither copied nor checked: for lists nobody else keeps."""
        headers = cls.__new__(cls)
        headers._fields = fields
        return headers

    @classmethod
    def of(
        cls, source: Headers | Mapping[str, Text] | Mapping[bytes, Text] | Iterable[tuple[Text, Text]]
    ) -> Self:
        """New headers from headers, a mapping or pairs, in str or bytes."""
        if isinstance(source, Headers):
            return cls.wrap(list(source._fields))
        pairs: Iterable[tuple[Text, Text]] = source.items() if isinstance(source, Mapping) else source
        return cls.wrap([(to_bytes(name), to_bytes(value)) for name, value in pairs])

    @property
    def fields(self) -> list[RawField]:
        """The fields themselves, in order; editing this list edits the headers."""
        return self._fields

    @fields.setter
    def fields(self, fields: Iterable[RawField]) -> None:
        self._fields = [_checked(name, value) for name, value in fields]

    @overload
    def get(self, key: Text, default: None = None) -> str | None: ...
    @overload
    def get(self, key: Text, default: str) -> str: ...
    @overload
    def get(self, key: Text, default: T) -> str | T: ...
    def get(self, key: Text, default: object = None) -> object:
        """The value of *key*, repeated fields joined with ``", "``, or *default*."""
        found = self._find(key)
        return default if found is None else found.decode("utf-8", "surrogateescape")

    def __getitem__(self, key: Text) -> str:
        found = self._find(key)
        if found is None:
            raise KeyError(key)
        return found.decode("utf-8", "surrogateescape")

    def __contains__(self, key: object) -> bool:
        return isinstance(key, (str, bytes)) and self._find(key) is not None

    def __setitem__(self, key: Text, value: Text) -> None:
        self.set_all(key, [value])

    def __delitem__(self, key: Text) -> None:
        if key not in self:
            raise KeyError(key)
        self.set_all(key, ())

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self._fields})

    def __bytes__(self) -> bytes:
        """The fields as HTTP/1 writes them: each line ended by CRLF, no empty line at the end."""
        return b"".join([b"%b: %b\r\n" % field for field in self._fields])

    def get_all(self, key: Text) -> list[str]:
        """Every value of *key*, one a field, in order."""
        wanted = _normal_name(key)
        return [to_str(value) for name, value in self._fields if name.lower() == wanted]

    def set_all(self, key: Text, values: Iterable[Text]) -> None:
        """Give *key* exactly *values*: fields there are keep place and spelling, more go to the end."""
        if isinstance(values, (str, bytes)):
            raise TypeError(f"set_all takes a list of values; for one write headers[{key!r}] = {values!r}")
        new = [to_bytes(value) for value in values]
        self._fields[:] = replaced(self._fields, bytes.lower, to_bytes(key), new)

    def add(self, key: Text, value: Text) -> None:
        """Append a field; those of the same name stay."""
        self._fields.append((to_bytes(key), to_bytes(value)))

    def insert(self, index: int, key: Text, value: Text) -> None:
        """Put a field at *index*, as in `list.insert`."""
        self._fields.insert(index, (to_bytes(key), to_bytes(value)))

    def copy(self) -> Self:
        """Headers with the same fields in a list of their own."""
        return self.wrap(self._fields.copy())

    def get_state(self) -> list[list[bytes]]:
        """The fields as plain data."""
        return [[name, value] for name, value in self._fields]

    @classmethod
    def from_state(cls, state: Iterable[Sequence[bytes]]) -> Self:
        """Headers from what `get_state` gave."""
        return cls([(name, value) for name, value in state])

    def _find(self, key: Text) -> bytes | None:
        wanted = _normal_name(key)
        length = len(wanted)
        found = None
        for name, value in self._fields:
            if len(name) == length and name.lower() == wanted:
                found = value if found is None else found + b", " + value
        return found

    def _read(self) -> list[tuple[str, str]]:
        return [(to_str(name), to_str(value)) for name, value in self._fields]

    def _entries(self, multi: bool) -> list[tuple[str, str]]:
        if multi:
            return self._read()
        joined: dict[bytes, RawField] = {}
        for field in self._fields:
            key = field[0].lower()
            first = joined.get(key)
            joined[key] = field if first is None else (first[0], first[1] + b", " + field[1])
        return [(to_str(name), to_str(value)) for name, value in joined.values()]


HeaderSource = (
    Headers | Mapping[str, str] | Mapping[str, bytes] | Mapping[bytes, bytes] | Iterable[tuple[Text, Text]]
)
"""What can be made into headers."""


def _checked(name: bytes, value: bytes) -> RawField:
    if not isinstance(name, bytes) or not isinstance(value, bytes):
        raise TypeError(
            f"header fields are pairs of bytes, not ({name!r}, {value!r}); Headers.of() takes str too"
        )
    return name, value
