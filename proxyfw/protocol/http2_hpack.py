"""Header compression by hpack: what is said again in the same words is not worked out again. RFC 7541."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError as H2ProtocolError
from hpack import (
    Decoder,
    Encoder,
    HeaderTuple,
    HPACKError,
    NeverIndexedHeaderTuple,
    OversizedHeaderListError,
)

HIDDEN_LENGTH = b"Content-Length"
"""Stands for ``content-length`` in lists on their way through h2. It is recognised by identity: what a peer
sends is never this very object."""

_MOST_KNOWN = 32
_LONGEST_KNOWN = 1024
"""Bytes of a compressed list that is remembered."""
_TABLE_SIZE_UPDATE = 0x20

Field = tuple[bytes, bytes]


class Sensitive(NeverIndexedHeaderTuple):
    """A field that its sender wants kept out of compression on every hop; hpack's own class cannot be copied.

    RFC 7541 section 7.1.3.
    """

    __slots__ = ()

    def __getnewargs__(self) -> tuple[bytes, bytes]:
        return self[0], self[1]


class CompressionFault(H2ProtocolError):
    """A header block is no HPACK. RFC 9113 section 4.3; h2 would call it something else."""

    error_code = ErrorCodes.COMPRESSION_ERROR


class _Table:
    """Tells whether the entries of a table are still the same: additions come first, and push others out."""

    __slots__ = ("_entries", "_newest", "_size")

    def __init__(self, entries: deque[Field]) -> None:
        self._entries = entries
        self._newest: Field | None = None
        self._size = 0

    def has_changed(self) -> bool:
        """Since this was asked before."""
        entries = self._entries
        newest, size = (entries[0], len(entries)) if entries else (None, 0)
        if newest is self._newest and size == self._size:
            return False
        self._newest, self._size = newest, size
        return True


class FieldDecoder(Decoder):
    """An hpack decoder that hides Content-Length from h2, which ends a connection with all its streams where
    one message is not as long as it says; the codec counts for itself and ends that one stream."""

    def __init__(self, max_header_list_size: int) -> None:
        super().__init__(max_header_list_size)
        self._table = _Table(self.header_table.dynamic_entries)
        self._known: dict[bytes, list[Field]] = {}

    def decode(self, data: bytes, raw: bool = False) -> Iterable[HeaderTuple]:
        fields = self._known.get(data)  # its fields are in the table still, at the same places
        if fields is None:
            fields = self._decode(data)
            resized = data[:1] and data[0] & 0xE0 == _TABLE_SIZE_UPDATE  # what had no room may have it now
            if self._table.has_changed() or resized:
                self._known.clear()
            elif data and len(data) <= _LONGEST_KNOWN:
                _remember(self._known, data, fields)
        return fields  # type: ignore[return-value]  # h2 wants pairs, of whatever class

    def _decode(self, data: bytes) -> list[Field]:
        try:
            decoded = super().decode(data, raw=True)
        except OversizedHeaderListError:
            raise  # h2 knows this one
        except (HPACKError, IndexError) as exc:
            raise CompressionFault(f"header block cannot be decoded: {exc}") from exc
        fields: list[Field] = []
        for field in decoded:
            name, value = field
            if name == b"content-length":
                name = HIDDEN_LENGTH
            fields.append((name, value) if field.indexable else Sensitive(name, value))
        return fields


class FieldEncoder(Encoder):
    """An hpack encoder with a memory."""

    def __init__(self) -> None:
        super().__init__()
        self._table = _Table(self.header_table.dynamic_entries)
        self._known: dict[tuple[object, ...], bytes] = {}

    def encode(self, headers: Any, huffman: bool = True) -> bytes:
        if self.table_size_changes or self._table.has_changed():  # the peer has changed its settings
            self._known.clear()
            self.header_table.resized = bool(self.table_size_changes)  # a second change makes hpack forget it
            return super().encode(headers, huffman)
        fields = tuple(headers)
        said = fields, tuple(map(type, fields))  # what is sensitive equals what is not
        encoded = self._known.get(said)
        if encoded is None:
            encoded = super().encode(fields, huffman)
            if self._table.has_changed():
                self._known.clear()
            elif len(encoded) <= _LONGEST_KNOWN:
                _remember(self._known, said, encoded)
        return encoded


def _remember(known: dict[Any, Any], key: object, value: object) -> None:
    if len(known) >= _MOST_KNOWN:
        known.clear()
    known[key] = value
