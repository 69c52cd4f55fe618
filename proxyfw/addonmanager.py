"""The addons of one proxy: added, ordered, replaced, removed, and called hook by hook.

pluggy registers what implements which hook; the order, the awaiting and the isolation of one addon from the
other are our own (`proxyfw.addon.calls`). Which addons a proxy has is not decided here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import pluggy

from proxyfw import ctx, hookspecs
from proxyfw.addon.caller import calling_addon
from proxyfw.addon.calls import DONE, Calls, Hook, Implementation, run
from proxyfw.addon.dormant import ACTION, COMMAND, FLAG, OPTION, Dormitory, may_sleep, possessions
from proxyfw.addon.handover import hand_over_state
from proxyfw.addon.loading import Loader, installed, load_group, load_installed, refuse_awaitable
from proxyfw.addon.member import Group, Member, default_name, implementations, members_of
from proxyfw.addon.report import log_failure
from proxyfw.contentviews import ContentviewRegistry
from proxyfw.exceptions import AddonError, OptionsError
from proxyfw.redaction import Redaction
from proxyfw.ruleset.book import RuleBook
from proxyfw.ruleset.engine import RuleEngine

if TYPE_CHECKING:
    from proxyfw.ruleset.rule import Rule

__all__ = ["AddonManager", "Loader", "installed"]

logger = logging.getLogger("proxyfw")


@runtime_checkable
class Moment(Protocol):
    """A hook together with what it is to be called with."""

    @property
    def function(self) -> Hook: ...

    def args(self) -> Sequence[Any]: ...


class _Registry(pluggy.PluginManager):
    """pluggy, told what a hook and an implementation look like here: plain functions of the right name."""

    def parse_hookspec_opts(self, module_or_class: Any, name: str) -> pluggy.HookspecOpts | None:
        if name not in hookspecs.HOOKS:
            return None
        return pluggy.HookspecOpts(
            firstresult=False, historic=False, warn_on_impl=None, warn_on_impl_args=None
        )

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        return plugin.markers.get(name) if isinstance(plugin, Member) else None


class AddonManager(Calls):
    """Holds the addons and calls them in order, first added first.

    The attribute `calls` is the present state as an object with `call` and `wants` that never changes: who
    keeps it goes on with the versions of the addons it began with. `contentviews` are the content views that
    addons have added, `redaction` is what takes secrets out of what is kept.
    """

    __slots__ = (
        "_engine", "_groups", "_is_running", "_registry", "_routes", "_tasks", "calls", "contentviews",
        "dormant", "master", "redaction", "rules",
    )  # fmt: skip

    def __init__(self, master: ctx.Master) -> None:
        super().__init__({})
        self.calls = Calls({})
        self.master = master
        self._groups: list[Group] = []
        self.rules = RuleBook(self._rules_changed)
        self.dormant = Dormitory(self._wake)
        self.redaction = Redaction()
        self._routes: list[Rule] = []
        """The rules that decide where connections lead; those in the pool are made anew when they change."""
        self._engine = RuleEngine(self.rules)
        self.contentviews = ContentviewRegistry(master, lambda: calling_addon(self._groups))
        self._registry = _Registry("proxyfw")
        self._registry.add_hookspecs(hookspecs)
        self._is_running = False
        self._tasks: set[asyncio.Task[None]] = set()
        master.options.add_option(
            "slow_hook_warning", int, 500,
            "Warn once about a plain function that blocks the proxy for more than this many ms; 0 is never.",
        )  # fmt: skip
        master.options.subscribe(self._configure)
        self._rebuild()

    # adding and removing

    def add(
        self,
        addon: object,
        name: str | object | None = None,
        *more: object,
        first: bool = False,
        before: str | None = None,
        after: str | None = None,
    ) -> None:
        """Load *addon* (an instance, or a module) and call it from now on, last unless told otherwise.

        Several addons may be given, instead of one and its *name*.
        Raises `AddonError` or `OptionsError` if it cannot be loaded; then nothing of it remains.
        """
        if name is not None and not isinstance(name, str):
            for each in (addon, name, *more):
                self.add(each, first=first, before=before, after=after)
            return
        name = name or default_name(addon)
        if name in self:
            raise AddonError(f"an addon named {name!r} is loaded already: give the second one another name")
        group = Group(name, addon)
        self._place(first, before, after)
        with ctx.use(self.master):
            with self.contentviews.loading(name):
                load_group(group, self.master)
                group.look_again()
            self._groups.insert(self._place(first, before, after), group)
            self._swap([], group.members)
            self.rules.settle()
            self._hand_over(None, group)

    def add_installed(self, name: str, **place: Any) -> None:
        """Load the addon that an installed package offers as *name*; *place* as for `add`."""
        if not self.dormant.wake(name):
            self.add(load_installed(name), name, **place)

    def add_default(self, names: Sequence[str]) -> None:
        """Load those of the installed addons *names* that have to do, and the others when they have."""
        options = self.master.options
        self.dormant.put(name for name in names if may_sleep(name))
        options.find_with(partial(self.dormant.find, OPTION))
        self.master.commands.finder = partial(self.dormant.find, COMMAND)
        self.rules.finder = partial(self.dormant.find, ACTION)
        for name in names:
            asked = options.asks_for(possessions(name, OPTION), possessions(name, FLAG))
            if name in self.dormant.sleeping and asked:
                self.dormant.wake(name)
            elif not may_sleep(name):
                self.add_installed(name)

    def _wake(self, name: str) -> None:
        self.add(load_installed(name), name, before="rule_engine" if "rule_engine" in self else None)

    def remove(self, addon: object) -> None:
        """Take away an addon, given itself or by name. Raises `AddonError` if there is none."""
        group, member = self._find(addon)
        gone = [member] if member is not None and len(group.members) > 1 else group.members
        with ctx.use(self.master):
            group.members = [member for member in group.members if member not in gone]
            if not group.members:
                self._groups.remove(group)
                self.master.commands.remove(group.name)
                self.master.options.release(group.name)
                self.contentviews.release(group.name)
                self.redaction.release(group.name)
                self.rules.release(group.name)
            self._swap(gone, [])
            self.rules.settle()
            self._finish(implementations(gone, "done"), [])

    def replace(self, name: str, addon: object) -> None:
        """Put *addon* in the place of the one called *name*.

        The new one is loaded and configured while the old one serves; raises as `add` does, and then the old
        one stays. Calls that are in progress finish with the old one. What its ``save_state`` returns goes to
        ``load_state`` of the new one, member by member of the same name.
        """
        old, _ = self._find(name)
        group = Group(old.name, addon)
        with ctx.use(self.master):
            with (
                self.master.commands.transaction(),
                self.rules.transaction(),
                self.redaction.transaction(),
                self.contentviews.loading(old.name),
            ):
                self.master.commands.remove(old.name)
                self.redaction.release(old.name)
                self.rules.release(old.name)
                load_group(group, self.master)
                group.look_again()
            hand_over_state(old.members, group.members)
            self._groups[self._groups.index(old)] = group
            self._swap(old.members, group.members)
            self.rules.settle()
            self._hand_over(old, group)

    def move(
        self, name: str, *, first: bool = False, before: str | None = None, after: str | None = None
    ) -> None:
        """Give a loaded addon another place: first, before or after another, or last."""
        group, _ = self._find(name)
        if group.name in (before, after):
            raise AddonError(f"addon {name!r} cannot be placed relative to itself")
        self._place(first, before, after)
        self._groups.remove(group)
        self._groups.insert(self._place(first, before, after), group)
        self._rebuild()

    def set_hooks(self, addon: object, **hooks: Callable[..., Any] | None) -> None:
        """Have *addon*, an instance, called in these hooks from now on, or, with None, no more.

        So an addon costs nothing while its options give it nothing to do. It may be about to be loaded.
        """
        before = {name: name in vars(addon) for name in hooks}
        for name, function in hooks.items():
            if function is not None:
                setattr(addon, name, function)
            elif before[name]:
                delattr(addon, name)
        if addon in self and any(before[name] != (hooks[name] is not None) for name in hooks):
            self.refresh(addon)

    def refresh(self, addon: object) -> None:
        """*addon*, given itself or by name, has gained or lost hook functions: call what it has now."""
        group, _ = self._find(addon)
        before = group.members
        group.members = members_of(group.addon, group.name)
        self._swap(before, group.members)

    def clear(self) -> None:
        """Remove all addons, the last one first."""
        for group in reversed(self._groups):
            self.remove(group.name)

    def _place(self, first: bool, before: str | None, after: str | None) -> int:
        if first:
            return 0
        if before is not None:
            return self._groups.index(self._find(before)[0])
        if after is not None:
            return self._groups.index(self._find(after)[0]) + 1
        return len(self._groups)

    # finding

    def get(self, name: str) -> Any | None:
        """The addon called *name* (``view``, ``script.py``, ``script.py:MyAddon``), or None."""
        self.dormant.wake(name)
        return self.lookup.get(name)

    def names(self) -> list[str]:
        """The names of everything that is called, in that order."""
        return [member.name for group in self._groups for member in group.members]

    def order(self, hook: Hook) -> list[str]:
        """The names of those that implement *hook*, in the order in which they are called."""
        return [implementation.addon for implementation in self._table.get(hook, ())]

    @property
    def chain(self) -> list[object]:
        """The addons as they were added, in order."""
        return [group.addon for group in self._groups]

    @property
    def lookup(self) -> dict[str, Any]:
        """All addons and their members by name; a class instance also by its class name in lower case."""
        found = {
            default_name(member.addon): member.addon for group in self._groups for member in group.members
        }
        found |= {member.name: member.addon for group in self._groups for member in group.members}
        return found | {group.name: group.addon for group in self._groups}

    def __contains__(self, addon: object) -> bool:
        try:
            self._find(addon)
        except AddonError:
            return False
        return True

    def __len__(self) -> int:
        return len(self._groups)

    def _find(self, addon: object) -> tuple[Group, Member | None]:
        wanted = self.lookup.get(addon, addon) if isinstance(addon, str) else addon
        for group in self._groups:
            if group.addon is wanted:
                return group, None
            for member in group.members:
                if member.addon is wanted:
                    return group, member
        raise AddonError(f"there is no addon {addon!r}; loaded are {', '.join(self.names()) or 'none'}")

    # life cycle

    async def start(self) -> None:
        """Tell all addons that the proxy runs; addons added later are told when they are added."""
        self._is_running = True
        ctx.started(self.master)
        with ctx.use(self.master):
            await self.call(hookspecs.running)
            await self.settle()

    async def stop(self) -> None:
        """Tell all addons that it is over, and wait for what they have left to do."""
        self._is_running = False
        with ctx.use(self.master):
            await self.settle()
            await self.call(hookspecs.done)
            await self.settle()
        ctx.stopped(self.master)

    async def settle(self) -> None:
        """Wait for the ``async`` hooks that `add`, `remove`, `replace` and `trigger` have begun."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def trigger(self, hook: Hook | str | Moment, *args: Any) -> None:
        """Call *hook* from plain code: functions run now, from the first ``async`` one on in a task.

        A `Moment` brings its arguments.
        """
        if isinstance(hook, Moment):
            args = tuple(hook.args())
            hook = hook.function
        function = hookspecs.HOOKS[hook] if isinstance(hook, str) else hook
        with ctx.use(self.master):
            self._spawn(self.call(function, *args))

    def _hand_over(self, old: Group | None, new: Group) -> None:
        ending = implementations(old.members, "done") if old else []
        self._finish(ending, implementations(new.members, "running") if self._is_running else [])

    def _finish(self, ending: list[Implementation], beginning: list[Implementation]) -> None:
        pending = run(ending, (), inf)
        if pending is DONE:
            pending = run(beginning, (), inf)
        elif beginning:
            pending = _one_after_the_other(pending, beginning)
        self._spawn(pending)

    def _spawn(self, pending: Awaitable[None]) -> None:
        if pending is DONE:
            return
        try:
            task = asyncio.get_running_loop().create_task(_awaited(pending))
        except RuntimeError:
            asyncio.run(_awaited(pending))
        else:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def add_rule_engine(self) -> None:
        """Let the rules run from here on: after the addons there are, before those that come."""
        self.add(self._engine, "rule_engine")

    # options and table

    def _rules_changed(self) -> None:
        if self._engine.adjust() and self._engine in self:
            self.refresh(self._engine)
        routes = [active.rule for active in self.rules.current.active if "server_connect" in active.calls]
        if routes != self._routes:
            self._routes = routes
            self.master.renew_connections()

    def _configure(self, updated: set[str]) -> None:
        """Tell all addons about changed options; `OptionsError` passes, anything else is theirs alone."""
        if "slow_hook_warning" in updated:
            self._rebuild()
        with ctx.use(self.master):
            for implementation in self._table.get(hookspecs.configure, ()):
                try:
                    refuse_awaitable(implementation, implementation.function(set(updated)))
                except OptionsError:
                    raise
                except AddonError as problem:
                    logger.error("%s", problem)
                except Exception as problem:
                    log_failure(implementation, problem, ())

    def _swap(self, old: list[Member], new: list[Member]) -> None:
        for member in old:
            self._registry.unregister(member)
        for member in new:
            self._registry.register(member, member.name)
        self._rebuild()

    def _rebuild(self) -> None:
        """Make a new call table; the old one stays as it is, for those who hold it."""
        place = {name: number for number, name in enumerate(self.names())}
        table: dict[Hook, tuple[Implementation, ...]] = {}
        for name, hook in hookspecs.HOOKS.items():
            found = getattr(self._registry.hook, name).get_hookimpls()
            found.sort(key=lambda impl: (impl.trylast - impl.tryfirst, place[impl.plugin_name]))
            if found:
                table[hook] = tuple(impl.plugin.implementations[name] for impl in found)
        milliseconds = self.master.options.slow_hook_warning
        self._table = table
        self._slow = milliseconds / 1000 if milliseconds > 0 else inf
        self.calls = Calls(table, self._slow)


async def _awaited(pending: Awaitable[None]) -> None:
    await pending


async def _one_after_the_other(pending: Awaitable[None], then: list[Implementation]) -> None:
    await pending
    await run(then, (), inf)
