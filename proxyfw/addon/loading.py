"""Brings addons in: finds installed ones, and runs ``load`` and ``configure``: a failure leaves nothing."""

from __future__ import annotations

import difflib
import inspect
import logging
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from proxyfw.addon.calls import Implementation
from proxyfw.addon.member import Group, implementations
from proxyfw.addon.report import located, user_place
from proxyfw.exceptions import AddonError, OptionsError

if TYPE_CHECKING:
    from proxyfw.command import FlowSource
    from proxyfw.ctx import Master
    from proxyfw.redaction import Redactor

ENTRY_POINTS = "proxyfw.addons"
logger = logging.getLogger("proxyfw")


class Loader:
    """What ``load`` gets: the addon declares its options, commands and content views here."""

    def __init__(self, master: Master, source: str) -> None:
        self.master = master
        self.used = False
        self._source = source

    def add_option(
        self,
        name: str,
        typespec: Any,
        default: Any,
        help: str,
        choices: Iterable[Any] | None = None,
        flag: str | None = None,
        short: str | None = None,
    ) -> None:
        """Declare an option, with command-line flags of its own if wanted; see `Options.add_option`."""
        self.used = True
        self.master.options.add_option(
            name, typespec, default, help, choices, flag=flag, short=short, source=self._source
        )

    def add_command(self, path: str, func: Callable[..., Any]) -> None:
        """Declare a command; see `CommandManager.add`."""
        self.used = True
        self.master.commands.add(path, func, self._source)

    def add_flow_source(self, flows: FlowSource) -> None:
        """Offer the flows that the addon keeps to commands; see `CommandManager.add_flow_source`."""
        self.used = True
        self.master.commands.add_flow_source(flows, self._source)

    def add_action(self, name: str, kind: type[Any]) -> None:
        """Offer a type of action to rules; see `proxyfw.rules.RuleBook.define`."""
        self.used = True
        self.master.addons.rules.define(name, kind, self._source)

    def add_redactor(self, redactor: Redactor) -> None:
        """Let *redactor* take secrets out of flows before they are kept or shown; see `proxyfw.redaction`."""
        self.used = True
        self.master.addons.redaction.add(redactor, self._source)

    def add_view(self, view: object) -> None:
        """Add a content view, as `proxyfw.contentviews.add` does."""
        self.used = True
        self.master.addons.contentviews.add(view, self._source)


def installed() -> dict[str, EntryPoint]:
    """The addons that installed packages offer, by name, sorted."""
    return {entry.name: entry for entry in sorted(offered(ENTRY_POINTS), key=lambda entry: entry.name)}


@cache
def offered(group: str) -> tuple[EntryPoint, ...]:
    """What installed packages offer in a *group* of entry points; it is in files, so they are read once."""
    return tuple(entry_points(group=group))


def load_installed(name: str) -> object:
    """The addon that an installed package offers as *name*; a class or factory is called."""
    offers = installed()
    if name not in offers:
        nearest = difflib.get_close_matches(name, offers, 1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"installed are {', '.join(offers) or 'none'}"
        raise AddonError(f"no installed package offers an addon {name!r}; {hint}")
    try:
        target = offers[name].load()
        return target() if isinstance(target, type) or inspect.isroutine(target) else target
    except Exception as problem:
        message = (
            f"addon {name!r} ({offers[name].value}) cannot be loaded: {type(problem).__name__}: {problem}"
        )
        raise AddonError(message) from problem


def load_group(group: Group, master: Master) -> None:
    """Run ``load`` and ``configure`` of all members; if one fails, nothing they declared remains."""
    loader = Loader(master, group.name)
    with (
        master.options.transaction(),
        master.commands.transaction(),
        master.addons.rules.transaction(),
        master.addons.redaction.transaction(),
    ):
        for implementation in implementations(group.members, "load"):
            _call_now(implementation, loader)
        commands = sum(master.commands.collect(member.addon, group.name) for member in group.members)
        for implementation in implementations(group.members, "configure"):
            _call_now(implementation, set(master.options.keys()))
    used = loader.used or commands or master.addons.contentviews.belongs_to(group.name)
    if not used and not any(member.implementations for member in group.members):
        logger.warning("addon %s has no hook, option or command: it does nothing", group.name)


def _call_now(implementation: Implementation, argument: object) -> None:
    try:
        result = implementation.function(argument)
    except (AddonError, OptionsError):
        raise
    except (Exception, SystemExit) as problem:
        file, line = user_place(problem, implementation.file) or (implementation.file, implementation.line)
        reason = f"{type(problem).__name__}: {problem}"
        message = f"{implementation.hook}() of addon {implementation.addon} failed: {reason}"
        raise AddonError(located(file, line, message)) from problem
    refuse_awaitable(implementation, result)


def refuse_awaitable(implementation: Implementation, result: object) -> None:
    """Raise `AddonError` if a hook that has to be complete when it returns was written ``async``."""
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        message = (
            f"{implementation.hook}() of addon {implementation.addon} must be a plain function, not async"
        )
        raise AddonError(located(implementation.file, implementation.line, message))
