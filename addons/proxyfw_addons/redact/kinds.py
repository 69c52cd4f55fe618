"""How secrets are named in rules, and what marks the place of one. It is light: every proxy loads it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Self

Mark = Callable[[str], str]
"""What stands in the place of a secret."""

MARK = "[redacted]"
_MARKED = r"\[redacted(:[0-9a-f]{8})?\]"
_STEP = r"""(?x)(?P<deep>\.\.)?
    (?: (?(deep)|\.)(?: (?P<name>[^\s.\[\]*'"]+) | (?P<all>\*) )
      | \[\s*(?: (?P<index>\d+) | (?P<any>\*) | "(?P<double>[^"]*)" | '(?P<single>[^']*)' )\s*\] )"""
_FLAGS = {"a": re.ASCII, "i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}


def marker(key: str | None) -> Mark:
    """What marks secrets: all alike, or if there is a *key*, so that equal ones stay equal."""
    if key is None:
        return lambda secret: secret if not secret or re.fullmatch(_MARKED, secret) else MARK
    from hashlib import blake2s, sha256

    secret_key = sha256(key.encode()).digest()

    def mark(secret: str) -> str:
        if not secret or re.fullmatch(_MARKED, secret):
            return secret
        data = secret.encode("utf-8", "surrogatepass")
        return f"[redacted:{blake2s(data, key=secret_key, digest_size=4).hexdigest()}]"

    return mark


class JsonPath:
    """``$.user.password``, ``$.cards[*].number``, ``$..token``; a name alone is one at any depth.

    Names may be written in capitals or not.
    """

    __slots__ = ("steps", "text")

    def __init__(self, text: str) -> None:
        """Raises ValueError."""
        self.text = text
        self.steps: list[tuple[bool, str | int | None]] = []
        path, at = (f"$..{text}" if re.fullmatch(r"[\w-]+", text) else text), 1
        step = re.compile(_STEP, re.ASCII)
        while found := step.match(path, at):
            name = found["name"] or found["double"] or found["single"]
            key = int(found["index"]) if found["index"] else name.lower() if name is not None else None
            self.steps.append((bool(found["deep"]), key))
            at = found.end()
        if not path.startswith("$") or not self.steps or at < len(path):
            raise ValueError(f"{text!r} is no path: write password, $.user.password or $.cards[*].number")

    @classmethod
    def read(cls, value: object) -> Self:
        """The path that *value* in a rule means. Raises ValueError."""
        if not isinstance(value, str):
            raise ValueError(f"must be a path into JSON, not {value!r}")
        return cls(value)

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """As JSON Schema."""
        return {"type": "string"}

    @property
    def is_name(self) -> bool:
        """Whether it is just a name, at any depth."""
        return len(self.steps) == 1 and self.steps[0][0] and self.last is not None

    @property
    def last(self) -> str | None:
        """The name that the values have; None if they are items, or have any."""
        key = self.steps[-1][1]
        return key if isinstance(key, str) else None


class Secret:
    """Text that is secret wherever it stands; ``/…/i`` is an expression, of which the groups are, if any."""

    __slots__ = ("_find", "text")

    def __init__(self, text: str) -> None:
        """Raises ValueError."""
        self.text = text
        slashed = re.fullmatch(r"/(.+)/([aimsx]*)", text, re.DOTALL)
        try:
            flags = sum(_FLAGS[flag] for flag in set(slashed[2])) if slashed else 0
            self._find = re.compile(slashed[1] if slashed else re.escape(text), flags)
        except re.error as problem:
            raise ValueError(f"{text} is not a regular expression: {problem.msg}") from None
        if not text or self._find.match(""):
            raise ValueError(f"{text!r} matches nothing at all, which is everywhere")

    @classmethod
    def read(cls, value: object) -> Self:
        """The secret that *value* in a rule means. Raises ValueError."""
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValueError(f"must be text, or /an expression/, not {value!r}")
        return cls(str(value))

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """As JSON Schema."""
        return {"type": ["string", "integer"]}

    def taken_out(self, text: str, mark: Mark) -> str:
        """*text* without it."""
        return self._find.sub(lambda found: self._marked(found, mark), text)

    def _marked(self, found: re.Match[str], mark: Mark) -> str:
        if not self._find.groups:
            return mark(found[0])
        spans = sorted(
            {found.span(group) for group in range(1, self._find.groups + 1) if found.span(group)[0] >= 0}
        )
        whole, at, out = found.string, found.start(), []
        for start, end in spans:
            if start >= at:  # else it is inside the one before
                out += [whole[at:start], mark(whole[start:end])]
                at = end
        return "".join(out) + whole[at : found.end()]
