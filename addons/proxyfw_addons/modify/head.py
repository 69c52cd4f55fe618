"""Edits of heads: header fields, and the query. What they do not name stays as it is, and in its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from proxyfw.http import Message, MultiDict, Request
from proxyfw.rules import Hit, Pattern

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
"""Names of fields and methods. RFC 9110 section 5.6.2."""
_FRAMING = frozenset({"content-length", "transfer-encoding"})
"""They follow from the body."""


@dataclass
class NamedEdits:
    """What becomes of values that have names: some are removed, then some set, then some added."""

    remove: Annotated[list[Pattern], "Names to remove; `x-internal-*` are several."] = field(
        default_factory=list
    )
    set: Annotated[
        dict[str, list[str]],
        "Values by name, which take the place of those that are there; `$1` is what a wildcard stood for.",
    ] = field(default_factory=dict)
    add: Annotated[dict[str, list[str]], "Values by name, added to those that are there."] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        for name, values in [*self.set.items(), *self.add.items()]:
            self.check(name, values)

    def check(self, name: str, values: Sequence[str]) -> None:
        """Raise ValueError if there cannot be such values."""

    def __str__(self) -> str:
        parts = [f"removed {', '.join(map(str, self.remove))}"] if self.remove else []
        parts += [f"set {', '.join(self.set)}"] if self.set else []
        parts += [f"added {', '.join(self.add)}"] if self.add else []
        return "; ".join(parts)


class HeaderEdits(NamedEdits):
    """Edits of header fields."""

    def check(self, name: str, values: Sequence[str]) -> None:
        """Raise ValueError if such fields cannot be sent."""
        check_field(name, values)

    def apply(self, message: Message, hit: Hit) -> None:
        """Edit the fields of *message*."""
        if self.remove:
            remove_fields(message, self.remove)
        for name, values in self.set.items():
            set_field(message, name, [hit.expand(value) for value in values])
        for name, values in self.add.items():
            for value in values:
                message.headers.add(name, hit.expand(value))
        hit.note(f"headers: {self}")


class QueryEdits(NamedEdits):
    """Edits of the parameters of a query."""

    def apply(self, request: Request, hit: Hit) -> None:
        """Edit the query of *request*: other parameters keep their order and spelling."""
        query = MultiDict(
            pair
            for pair in request.query.items(multi=True)
            if not any(pattern(pair[0]) for pattern in self.remove)
        )
        for name, values in self.set.items():
            query.set_all(name, [hit.expand(value) for value in values])
        for name, values in self.add.items():
            for value in values:
                query.add(name, hit.expand(value))
        request.query = query
        hit.note(f"query: {self}")


def check_name(name: str) -> None:
    """Raise ValueError if there cannot be such a field."""
    if not re.fullmatch(TOKEN, name):
        raise ValueError(f"{name!r} is not the name of a header field")


def check_field(name: str, values: Iterable[str]) -> None:
    """Raise ValueError if such a field cannot be sent."""
    check_name(name)
    if name.lower() in _FRAMING:
        raise ValueError(f"{name} follows from the body: leave it out")
    for value in values:
        if any(character in value for character in "\r\n\0"):
            raise ValueError(f"the value of {name} has a line end or NUL in it: {value!r}")


def remove_fields(message: Message, names: Sequence[Pattern]) -> None:
    """Take away every field whose name matches one of *names*."""
    fields = message.headers.fields
    kept = [pair for pair in fields if not any(name(pair[0].decode("latin-1")) for name in names)]
    if len(kept) < len(fields):
        message.headers.fields = kept


def set_field(message: Message, name: str, values: Sequence[str]) -> None:
    """Give the field *name* these values, where the old ones were; Host is HTTP/2's authority, too."""
    if isinstance(message, Request) and name.lower() == "host" and values:
        message.host_header = values[-1]
    else:
        message.headers.set_all(name, values)
