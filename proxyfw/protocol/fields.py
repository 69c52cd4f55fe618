"""Finding the few header fields that the proxy itself has to look at among the many that it has not."""

from __future__ import annotations

from .events import RawHeaders

OF_CONNECTIONS = frozenset(
    {
        b"connection", b"content-length", b"expect", b"host", b"keep-alive", b"proxy-authorization",
        b"proxy-connection", b"te", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
"""Lower-case names of fields that decide framing, routing, persistence or are for one hop only."""
NOTABLE = OF_CONNECTIONS | {b"authorization", b"content-type"}
"""The same, and what else decides how a message is treated."""

_MEMORY = 4096
_ordinary: set[bytes] = set()
"""Names, exactly as they were spelled, that are not notable: looking one up is cheaper than lowering it."""


class Block:
    """Fields that nobody changes, and what has been found out about them: once, however often they come."""

    __slots__ = ("_text", "derived", "fields", "framing", "notable", "outgoing")

    def __init__(self, fields: RawHeaders) -> None:
        """*fields*: names and values that may stand in a head, in a list that nobody changes."""
        self.fields = fields
        self.notable = _notable(fields)
        self.framing: tuple[bytes, tuple[int, bool, bool, bool]] | None = None
        """What `proxyfw.protocol.http1` makes of them, for a version of HTTP."""
        self.outgoing: tuple[dict[bytes, bytes], int, bytes] | None = None
        """What they mean when they are sent: `notable`, the length that they declare, `text`."""
        self.derived: dict[object, KnownFields] = {}
        """What others have made of these fields, by what they have done; not to be changed either."""
        self._text: bytes | None = None

    @property
    def text(self) -> bytes:
        """Each as a line."""
        if self._text is None:
            self._text = b"".join([b"%b: %b\r\n" % field for field in self.fields])
        return self._text


class KnownFields(list[tuple[bytes, bytes]]):
    """Fields as they were read: while nobody changes the list, they need not be looked at again."""

    __slots__ = ("block",)
    block: Block

    @classmethod
    def of(cls, block: Block) -> KnownFields:
        """The fields of *block*, in a list of their own."""
        fields = cls(block.fields)
        fields.block = block
        return fields

    @property
    def unchanged(self) -> bool:
        return self.block.fields == self  # compares pairs by identity first


def notable(fields: RawHeaders) -> dict[bytes, bytes]:
    """The fields in `NOTABLE`, by lower-case name; values of repeated ones are joined with a comma.

    What is returned may be shared, so it is not to be changed.
    """
    if type(fields) is KnownFields and fields.block.fields == fields:
        return fields.block.notable
    return _notable(fields)


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
