"""JSON: values at paths, and secrets in any text of it. A document stays a document."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .kinds import JsonPath, Mark
from .texts import is_card


class Documents:
    """Takes out of JSON what stands at *paths*, and if *cards*, numbers of payment cards."""

    def __init__(self, paths: Sequence[JsonPath], cards: bool) -> None:
        self._anywhere = {path.last for path in paths if path.is_name}
        self._paths = [path for path in paths if not path.is_name]
        self._cards = cards
        names = [re.escape(path.last) for path in paths if path.last]
        self._in_text = _pairs(names, _SCALAR) if names else None
        self._in_broken = _pairs(names, rf"[{{\[].*|{_SCALAR}") if names else None
        self._nameless = len(names) < len(paths)

    def __call__(self, text: str, mark: Mark, clean: Callable[[str], str]) -> str | None:
        """*text* without secrets, its texts as *clean* leaves them; None if it cannot be read.

        It is written anew only if there was something to be taken out.
        """
        import json  # takes a while, and most proxies redact nothing

        changes = _Changes(mark, self._anywhere, clean, self._cards)
        try:
            document = changes.made(json.loads(text, parse_float=_number))
            for path in self._paths:
                document = changes.at(document, path.steps)
        except (ValueError, RecursionError):
            return None
        if not changes.any:
            return text
        indent = 2 if "\n" in text.strip() else None
        separators = ("," if indent or ", " not in text else ", ", ": " if '": ' in text else ":")
        return json.dumps(document, ensure_ascii=False, indent=indent, separators=separators)

    def in_text(self, text: str, mark: Mark, broken: bool = False) -> str:
        """*text* that has ``"name": value`` in it, a script for one, without such values.

        A *broken* or cut document is given up where a container is to be taken out.
        """
        pairs = self._in_broken if broken else self._in_text
        if pairs is None:
            return text
        return pairs.sub(lambda found: f'{found[1]}"{mark(found[2].strip(chr(34)))}"', text)

    @property
    def only_by_name(self) -> bool:
        """Whether `in_text` finds all that is looked for."""
        return not self._nameless


_SCALAR = r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[^\s,"{}\[\]]+'


def _pairs(names: Iterable[str], value: str) -> re.Pattern[str]:
    return re.compile(rf'("(?:{"|".join(names)})"\s*:\s*)({value})', re.IGNORECASE | re.DOTALL)


def _number(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text  # JSON has no word for what is too large


class _Changes:
    """What is done to one document."""

    def __init__(self, mark: Mark, anywhere: set[Any], clean: Callable[[str], str], cards: bool) -> None:
        self.any = False
        self._mark = mark
        self._anywhere = anywhere
        self._clean = clean
        self._cards = cards

    def made(self, value: Any) -> Any:
        """*value* without what has one of the names, or looks like a secret."""
        if isinstance(value, dict):
            return {
                key: self.marked(each) if key.lower() in self._anywhere else self.made(each)
                for key, each in value.items()
            }
        if isinstance(value, list):
            return [self.made(each) for each in value]
        return self._scalar(value)

    def _scalar(self, value: Any) -> Any:
        if isinstance(value, str):
            new = self._clean(value)
            self.any = self.any or new != value
            return new
        if self._cards and type(value) is int and value > 0 and is_card(str(value)):
            return self.marked(value)
        return value

    def marked(self, value: Any) -> Any:
        """What stands in the place of *value*: of containers, in that of everything in them."""
        if isinstance(value, dict):
            return {key: self.marked(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.marked(each) for each in value]
        if value is None or value == "":
            return value
        new = self._mark(value if isinstance(value, str) else str(value))
        self.any = self.any or new != value
        return new

    def at(self, value: Any, steps: Sequence[tuple[bool, str | int | None]]) -> Any:
        """*value* without what stands at the end of *steps*."""
        if not steps:
            return self.marked(value)
        (deep, wanted), rest = steps[0], steps[1:]
        if isinstance(value, dict):
            return {key: self._step(key, each, deep, wanted, steps, rest) for key, each in value.items()}
        if isinstance(value, list):
            return [self._step(key, each, deep, wanted, steps, rest) for key, each in enumerate(value)]
        return value

    def _step(self, key: Any, value: Any, deep: bool, wanted: Any, steps: Any, rest: Any) -> Any:
        if deep:
            value = self.at(value, steps)
        name = key.lower() if isinstance(key, str) else key
        return self.at(value, rest) if wanted is None or name == wanted else value
