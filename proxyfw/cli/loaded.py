"""A proxy with its addons that does not run, to see what it would be; and names that nobody declared."""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from proxyfw.exceptions import OptionsError, ProxyfwError

from .settings import nearest

if TYPE_CHECKING:
    from proxyfw.options import Given, Options
    from proxyfw.proxy import Proxy

    from .settings import Settings

logger = logging.getLogger("proxyfw")
_SLIP = 0.85
"""From this likeness on a name is a slip of the finger, not that of an option whose addon is not there."""


def proxy_of(settings: Settings) -> Proxy:
    """What *settings* would run, with everything loaded. Raises ProxyfwError, UsageError.

    What scripts print goes to standard error: the answer alone belongs on standard output.
    """
    from proxyfw.proxy import Proxy

    with redirect_stdout(sys.stderr):
        proxy = Proxy(settings.options(), default_addons=settings.addon_names())
        proxy.addons.dormant.wake_all()
    return proxy


def options_of(settings: Settings) -> Options:
    """The options of `proxy_of`."""
    return proxy_of(settings).options


def check_waiting(options: Options, loaded: Collection[str]) -> None:
    """Say which values are for options that no addon that is *loaded* has declared.

    Those of the file wait, since other runs may share it. Raises OptionsError for slips of the finger in it,
    and for what was named for this run alone.
    """
    if not options.deferred:
        return
    elsewhere = _options_of_others(loaded)
    for name, given in options.deferred_values.items():
        if name in elsewhere:
            _needs_addon(name, given, elsewhere[name])
        else:
            _unknown(name, given, [*options, *elsewhere])


def _needs_addon(name: str, given: Given, addon: str) -> None:
    message = f"{name} is an option of the addon {addon}, which is not loaded: --addon {addon}"
    if given.required:
        raise given.error(OptionsError(message))
    logger.warning("%s: %s; until then it waits", given.origin, message)


def _unknown(name: str, given: Given, known: Collection[str]) -> None:
    from proxyfw.config import PREFIX

    is_variable = given.origin.startswith(PREFIX)
    slip = nearest(name, known, 0.6 if is_variable or given.required else _SLIP)
    if given.required or (slip and not is_variable):
        raise given.error(OptionsError(f"unknown option {name!r}{slip}"))
    logger.warning("%s: no addon that is loaded has an option %r%s", given.origin, name, slip)


def _options_of_others(loaded: Collection[str]) -> dict[str, str]:
    """The options of installed addons that are not *loaded*, with the names of the addons."""
    from proxyfw.addonmanager import installed
    from proxyfw.proxy import Proxy

    found: dict[str, str] = {}
    for name in installed():
        if name not in loaded:
            try:
                declared = Proxy(default_addons=[name]).options.options_of(name)
            except ProxyfwError:
                continue  # whoever loads it will be told why it cannot be
            found |= {option.name: name for option in declared}
    return found
