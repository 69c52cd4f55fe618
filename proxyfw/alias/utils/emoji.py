"""``mitmproxy.utils.emoji``: markers of flows by name."""

from __future__ import annotations

import unicodedata

from proxyfw.alias import names_of

_SHORT = {"heart": "HEAVY BLACK HEART", "boom": "COLLISION SYMBOL", "+1": "THUMBS UP SIGN",
          "-1": "THUMBS DOWN SIGN", "100": "HUNDRED POINTS SYMBOL", "tada": "PARTY POPPER",
          "x": "CROSS MARK", "warning": "WARNING SIGN", "star": "WHITE MEDIUM STAR", "cake": "SHORTCAKE",
          "red_circle": "LARGE RED CIRCLE", "fire": "FIRE", "bug": "BUG", "eyes": "EYES",
          "lock": "LOCK", "question": "BLACK QUESTION MARK ORNAMENT"}  # fmt: skip


class _Emoji(dict[str, str]):
    """Common short names, and every character by its Unicode name: ``:party_popper:``."""

    def __missing__(self, name: str) -> str:
        try:
            return unicodedata.lookup(name.strip(":").replace("_", " "))
        except KeyError:
            raise KeyError(name) from None

    def __contains__(self, name: object) -> bool:
        try:
            return isinstance(name, str) and bool(self[name])
        except KeyError:
            return False


emoji = _Emoji({f":{short}:": unicodedata.lookup(name) for short, name in _SHORT.items()})

__getattr__ = names_of("utils.emoji")
