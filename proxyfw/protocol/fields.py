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


def notable(fields: RawHeaders) -> dict[bytes, bytes]:
    """The fields in `NOTABLE`, by lower-case name; values of repeated ones are joined with a comma."""
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
