"""Which addon is calling: for what belongs to an addon though nobody says to which."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import FrameType

from proxyfw.addon.member import Group


def calling_addon(groups: Sequence[Group]) -> str | None:
    """The name of the group whose code is nearest on the stack, or None.

    Code of an addon is a method of one of its members, or a function of the module that one is or was written
    in.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        for group in groups:
            if any(_runs(frame, member.addon) for member in group.members):
                return group.name
        frame = frame.f_back
    return _by_module(groups, sys._getframe(1))


def _runs(frame: FrameType, addon: object) -> bool:
    return frame.f_locals.get("self") is addon or frame.f_globals is getattr(addon, "__dict__", None)


def _by_module(groups: Sequence[Group], start: FrameType) -> str | None:
    places = {type(member.addon).__module__: group.name for group in groups for member in group.members}
    frame: FrameType | None = start
    while frame is not None:
        found = places.get(frame.f_globals.get("__name__", ""))
        if found is not None:
            return found
        frame = frame.f_back
    return None
