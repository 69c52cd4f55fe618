"""Hands the state of an addon to its next version: ``save_state`` of the old, ``load_state`` of the new.

Nothing that goes wrong here keeps the new version from taking over: it begins without the state then.
"""

from __future__ import annotations

import logging

from proxyfw.addon.calls import Implementation
from proxyfw.addon.loading import refuse_awaitable
from proxyfw.addon.member import Member
from proxyfw.addon.report import log_failure
from proxyfw.exceptions import AddonError

logger = logging.getLogger("proxyfw")
_FAILED = object()


def hand_over_state(old: list[Member], new: list[Member]) -> None:
    """Pass what each of the *old* members saves to the member of the same name among the *new* ones."""
    takers = {member.name: member for member in new}
    for member in old:
        save = member.hand_over.get("save_state")
        if save is not None and member.name in takers:
            _pass_on(save, takers[member.name].hand_over.get("load_state"))


def _pass_on(save: Implementation, load: Implementation | None) -> None:
    state = _called(save)
    if state is None:
        return
    if state is not _FAILED:
        if load is None:
            logger.warning(
                "addon %s: the new version has no load_state(state) that takes what save_state() returned",
                save.addon,
            )
            return
        if _called(load, state) is not _FAILED:
            return
    logger.warning("addon %s: the new version begins without the state of the old one", save.addon)


def _called(implementation: Implementation, *args: object) -> object:
    """What the function returns; `_FAILED` if it raised, which has been logged then."""
    try:
        result = implementation.function(*args)
    except Exception as problem:
        log_failure(implementation, problem, ())
        return _FAILED
    try:
        refuse_awaitable(implementation, result)
    except AddonError as problem:
        logger.error("%s", problem)
        return _FAILED
    return result
