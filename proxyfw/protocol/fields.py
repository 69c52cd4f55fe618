"""Finding the few header fields that the proxy itself has to look at among the many that it has not."""

from __future__ import annotations

from .events import RawHeaders

NOTABLE = frozenset(
    {
        b"connection", b"content-length", b"expect", b"host", b"keep-alive", b"proxy-authorization",
        b"proxy-connection", b"te", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
"""Lower-case names of fields that decide framing, routing, persistence or are for one hop only."""

_MEMORY = 4096
_ordinary: set[bytes] = set()
"""Names, exactly as they were spelled, that are not notable: looking one up is cheaper than lowering it."""


class KnownFields(list[tuple[bytes, bytes]]):
    """Fields as they were read: while nobody changes the list, they need not be looked at again.

    *fields*: a list that nobody changes; *found*: what is `notable` in it, if that is known.
    """

    __slots__ = ("_found", "_read")

    def __init__(self, fields: RawHeaders, found: dict[bytes, bytes] | None = None) -> None:
        super().__init__(fields)
        self._read = fields
        self._found = _notable(fields) if found is None else found

    def again(self) -> KnownFields:
        """The same fields, as they were read once more."""
        return KnownFields(self._read, self._found)

    @property
    def unchanged(self) -> bool:
        return self._read == self  # compares pairs by identity first

    @property
    def notable(self) -> dict[bytes, bytes]:
        """As `notable` has it; not to be changed."""
        return self._found if self._read == self else _notable(self)


def notable(fields: RawHeaders) -> dict[bytes, bytes]:
    """The fields in `NOTABLE`, by lower-case name; values of repeated ones are joined with a comma.

    What is returned may be shared, so it is not to be changed.
    """
    return fields.notable if type(fields) is KnownFields else _notable(fields)


def _notable(fields: RawHeaders) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for name, value in [field for field in fields if field[0] not in _ordinary]:
        key = name.lower()
        if key in NOTABLE:
            found[key] = found[key] + b", " + value if key in found else value
        else:
            if len(_ordinary) >= _MEMORY:
                _ordinary.clear()
            _ordinary.add(name)
    return found
