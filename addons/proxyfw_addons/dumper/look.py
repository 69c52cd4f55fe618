"""How text is written for a person: escaped, in colour or not, figures in words."""

from __future__ import annotations

from typing import NamedTuple

from proxyfw.contentviews import printable

DIM, BOLD, RED, GREEN, YELLOW, CYAN = "2", "1", "31", "32", "33", "36"


class Look(NamedTuple):
    """How to write: with colours or not, and how wide the terminal is (None: it is none)."""

    colour: bool = False
    width: int | None = None

    def paint(self, text: str, code: str) -> str:
        """*text* in a colour, if colours are wanted."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text


PLAIN = Look()


def escape(text: str) -> str:
    """*text* on one line, with everything that could steer a terminal made visible."""
    return text if text.isprintable() else printable(text).replace("\n", "\\n").replace("\t", "\\t")


def duration(seconds: float) -> str:
    """*seconds* for people: ``24ms``, ``1.25s``, ``90s``."""
    seconds = max(seconds, 0.0)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    return f"{seconds:.2f}s" if seconds < 10 else f"{seconds:.0f}s"


def count(number: int, thing: str) -> str:
    """``1 message``, ``2 messages``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
