"""Finds functions that were surely, or probably, meant to be hooks but are called something else."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

#: Hooks of older programs of the field, which old scripts still define.
RENAMED = {
    "clientconnect": "client_connected",
    "clientdisconnect": "client_disconnected",
    "serverconnect": "server_connect",
    "serverdisconnect": "server_disconnected",
    "websocket_handshake": "websocket_start",
    "websocket_error": "websocket_end",
    "http_disconnect": "client_disconnected",
}


def surely_meant(name: str, hooks: Iterable[str]) -> str | None:
    """The hook that *name* is a slip of the finger for, if that is beyond reasonable doubt.

    Case and underscores apart it is the same, or one word of it differs by one letter that is not its first
    or its ending: ``requests``, ``responded`` and ``tcp_send`` are good names for helpers. So are old names.
    """
    if name in RENAMED:
        return None
    plain = name.replace("_", "").lower()
    for hook in hooks:
        if plain == hook.replace("_", "") or _one_word_slipped(name.split("_"), hook.split("_")):
            return hook
    return None


def maybe_meant(name: str, hooks: Iterable[str]) -> str | None:
    """The hook that *name* resembles, or used to be called."""
    if name in RENAMED:
        return RENAMED[name]
    close = difflib.get_close_matches(name, [hook for hook in hooks if hook[0] == name[0]], 1, 0.85)
    return close[0] if close else None


def _one_word_slipped(words: list[str], hook_words: list[str]) -> bool:
    if len(words) != len(hook_words):
        return False
    differing = [(ours, its) for ours, its in zip(words, hook_words, strict=True) if ours != its]
    if len(differing) != 1:
        return False
    ours, its = differing[0]
    return (
        min(len(ours), len(its)) >= 5
        and ours[0] == its[0]
        and not ours.startswith(its)
        and not its.startswith(ours)
        and _one_slip(ours, its)
    )


def _one_slip(one: str, other: str) -> bool:
    """Whether one letter is missing, too many or wrong, or two neighbours have changed places."""
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) == 1:
        return any(long[:i] + long[i + 1 :] == short for i in range(len(long)))
    if len(long) != len(short):
        return False
    differing = [i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    if len(differing) == 1:
        return True
    return (
        len(differing) == 2
        and differing[1] == differing[0] + 1
        and one[differing[0]] == other[differing[1]]
        and one[differing[1]] == other[differing[0]]
    )
