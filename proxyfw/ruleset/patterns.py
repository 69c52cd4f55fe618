"""The one wildcard rule of rules: what a pattern means, for hosts, URLs, paths, names and values alike.

``*`` stands for any run of characters (the shortest that will do) and everything else for itself, from the
first character to the last, in capitals or not. Between slashes, ``/…/i``, it is a regular expression that is
searched for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Self

_REGEX = re.compile(r"/(.+)/([aimsx]*)", re.DOTALL)
_META = frozenset("\\^$()[]{}|+?*.")
_FLAGS = {"a": re.ASCII, "i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}

Found = tuple[str, ...]
"""What the wildcards or groups of a pattern stood for; empty if it has none."""


class Pattern:
    """A pattern as it was written, and what it finds. Equal if written alike.

    Raises ValueError if it is a regular expression that cannot be read.
    """

    __slots__ = ("_find", "is_regex", "literal", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        regex = self._regex(text)
        self.is_regex = regex is not None
        self.literal: str | None = None
        """What it has to be, in lower case, if it has no wildcard."""
        if regex:
            self._find = _searched(regex[1], regex[2])
        elif "*" in text:
            self._find = re.compile(
                "".join("(.*?)" if part == "*" else re.escape(part) for part in re.split(r"(\*)", text)),
                re.IGNORECASE | re.DOTALL,
            ).fullmatch
        else:
            self.literal = text.lower()

    _find: Callable[[str], re.Match[str] | None]

    @staticmethod
    def _regex(text: str) -> re.Match[str] | None:
        return _REGEX.fullmatch(text)

    @classmethod
    def read(cls, value: object) -> Self:
        """The pattern that *value* in a rule means. Raises ValueError."""
        if isinstance(value, cls):
            return value
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValueError(f"must be text, not {value!r}")
        return cls(str(value))

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """As JSON Schema."""
        return {"type": ["string", "integer"]}

    def find(self, text: str) -> Found | None:
        """What its wildcards stand for in *text*, or None if it does not match."""
        if self.literal is not None:
            return () if self.literal == text.lower() else None
        found = self._find(text)
        return None if found is None else tuple(group or "" for group in found.groups())

    def after(self, text: str) -> str:
        """What of *text* comes behind that which it finds; "" if that is nothing, or it does not match."""
        found = self._find(text) if self.literal is None else None
        return text[found.end() :] if found else ""

    def __call__(self, text: str) -> bool:
        if self.literal is not None:
            return self.literal == text.lower()
        return self._find(text) is not None

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, Pattern) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Pattern {self.text}>"


class PathPattern(Pattern):
    """A pattern of paths. ``/users/`` is that path: slashes alone make no regular expression of it."""

    __slots__ = ()

    @staticmethod
    def _regex(text: str) -> re.Match[str] | None:
        regex = _REGEX.fullmatch(text)
        plain = regex and not regex[2] and not _META.intersection(regex[1].replace(".", ""))
        return None if plain else regex


@lru_cache(maxsize=256)
def _searched(expression: str, flags: str) -> Callable[[str], re.Match[str] | None]:
    try:
        return re.compile(expression, sum(_FLAGS[flag] for flag in set(flags))).search
    except re.error as problem:
        where = f" at character {problem.pos + 1}" if problem.pos is not None else ""
        raise ValueError(f"/{expression}/{flags} is not a regular expression: {problem.msg}{where}") from None


def host_key(host: str) -> str:
    """*host* as hosts are compared: in lower case, without brackets and without the dot of the root."""
    host = host.lower()
    return host[:-1] if host.endswith(".") else host[1:-1] if host.startswith("[") else host
