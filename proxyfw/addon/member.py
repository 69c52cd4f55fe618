"""What an object handed to the addon manager consists of: members, each with the hooks it implements.

Examining runs no code of the addon but the binding of its hook functions: a property is never read.
"""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

import pluggy

from proxyfw.addon.calls import Implementation
from proxyfw.addon.report import located, place_of
from proxyfw.addon.spelling import RENAMED, maybe_meant, surely_meant
from proxyfw.exceptions import AddonError
from proxyfw.hookspecs import HAND_OVER, HOOKS

logger = logging.getLogger("proxyfw")

_PASSED = ("no argument", "one argument, {}", "two arguments, {} and {}")


class Member:
    """One object with hooks under the name it is reported by; to pluggy, the plugin."""

    def __init__(self, name: str, addon: object) -> None:
        self.name = name
        self.addon = addon
        self.markers: dict[str, pluggy.HookimplOpts] = {}
        self.implementations: dict[str, Implementation] = {}
        self.hand_over = {
            role: Implementation(name, role, function, *place_of(function))
            for role, function, _ in _functions(addon)
            if role in HAND_OVER and _fits(function, HAND_OVER[role])
        }
        for hook, function, marker in _hook_functions(addon):
            file, line = place_of(function)
            implementation = Implementation(name, hook, function, file, line)
            _check_arguments(implementation)
            self.implementations[hook] = implementation
            self.markers[hook] = marker
            setattr(self, hook, implementation.invoke)
        _check_spelling(self)


class Group:
    """An addon as it was added, under one name, and the members it consists of."""

    __slots__ = ("addon", "members", "name")

    def __init__(self, name: str, addon: object) -> None:
        self.name = name
        self.addon = addon
        self.members = members_of(addon, name)

    def look_again(self) -> None:
        """Find the hook functions that objects have got since they were examined."""
        if any(_has_more(member) for member in self.members):
            self.members = members_of(self.addon, self.name)


def _has_more(member: Member) -> bool:
    own = getattr(member.addon, "__dict__", {})
    return not isinstance(member.addon, ModuleType) and not (
        HOOKS.keys() & own.keys() <= member.implementations.keys()
    )


def implementations(members: list[Member], hook: str) -> list[Implementation]:
    """What *members* have for *hook*, in order."""
    return [member.implementations[hook] for member in members if hook in member.implementations]


def default_name(addon: object) -> str:
    """What an addon is called if nobody names it: its ``name``, its module, or its class in lower case."""
    if isinstance(addon, ModuleType):
        return addon.__name__
    own = inspect.getattr_static(addon, "name", None)
    return own if isinstance(own, str) and own else type(addon).__name__.lower()


def members_of(addon: object, name: str) -> list[Member]:
    """*addon* and all that its ``addons`` list contributes; raises `AddonError` with file and line."""
    names: set[str] = set()
    return list(_members(addon, name, name, names))


def _members(addon: object, name: str, group: str, names: set[str]) -> Iterator[Member]:
    if isinstance(addon, type):
        file, line = _place_of_class(addon)
        raise AddonError(located(file, line, f"{addon.__name__} is a class: write {addon.__name__}()"))
    children = _children(addon)
    member = Member(_unused(name, names), addon)
    if member.implementations or member.hand_over or not children:
        names.add(member.name)
        yield member
    for child in children:
        kind = child if isinstance(child, type) else type(child)
        label = child.__name__ if isinstance(child, ModuleType) else kind.__name__
        yield from _members(child, f"{group}:{label}", group, names)


def _unused(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}#{number}"
    return free


def _children(addon: object) -> list[object]:
    children = inspect.getattr_static(addon, "addons", None)
    if isinstance(children, list | tuple):
        return list(children)
    if isinstance(addon, ModuleType) and children is not None and not isinstance(children, ModuleType):
        file = addon.__file__ or addon.__name__
        raise AddonError(f"{file}: addons must be a list of addons: write addons = [...]")
    return []


def _place_of_class(kind: type) -> tuple[str, int]:
    try:
        return inspect.getsourcefile(kind) or kind.__module__, inspect.getsourcelines(kind)[1]
    except (OSError, TypeError):
        return kind.__module__, 0


def _hook_functions(addon: object) -> Iterator[tuple[str, Callable[..., Any], pluggy.HookimplOpts]]:
    for attribute, function, marker in _functions(addon):
        hook = marker.get("specname") or attribute
        if hook in HOOKS:
            if marker.get("wrapper") or marker.get("hookwrapper"):
                raise _refused(function, f"{attribute}() is a hook wrapper: those are not supported")
            yield hook, function, _options(marker)
        elif marker and not marker.get("optionalhook"):
            raise _refused(function, f"{attribute}() is marked as a hook, but there is no hook {hook!r}")


def _options(marker: Mapping[str, Any]) -> pluggy.HookimplOpts:
    return pluggy.HookimplOpts(
        wrapper=False,
        hookwrapper=False,
        optionalhook=False,
        tryfirst=bool(marker.get("tryfirst")),
        trylast=bool(marker.get("trylast")),
        specname=None,
    )


def _refused(function: Callable[..., Any], message: str) -> AddonError:
    return AddonError(located(*place_of(function), message))


def _functions(addon: object) -> Iterator[tuple[str, Callable[..., Any], Mapping[str, Any]]]:
    """Name, callable and pluggy marker of each function that *addon* itself provides."""
    module = isinstance(addon, ModuleType)
    for name in list(vars(addon)) if module else _attributes(addon):
        static = inspect.getattr_static(addon, name, None)
        if _is_written_in(addon, static) if isinstance(addon, ModuleType) else _is_function(static):
            function = getattr(addon, name)
            marker = getattr(static, "proxyfw_impl", None) or getattr(function, "proxyfw_impl", None)
            yield name, function, marker if isinstance(marker, dict) else {}


def _attributes(addon: object) -> list[str]:
    names = dict.fromkeys(getattr(addon, "__dict__", ()))
    for kind in type(addon).__mro__:
        names.update(dict.fromkeys(vars(kind)))
    return [name for name in names if not name.startswith("__")]


def _is_function(static: object) -> bool:
    """Whether an attribute is a function of the addon: no class, no property, nothing of Python's own."""
    if isinstance(static, staticmethod | classmethod):
        static = static.__func__
    if inspect.isfunction(static):
        return static.__module__.partition(".")[0] not in sys.stdlib_module_names
    return (
        callable(static) and not isinstance(static, type) and not inspect.isroutine(static)
    ) or inspect.ismethod(static)


def _is_written_in(module: ModuleType, static: object) -> bool:
    """Whether *static* is a function of *module*, not one that it has imported."""
    if inspect.isfunction(static):
        made_by_decorator = "<locals>" in static.__qualname__
        return static.__module__ == module.__name__ or made_by_decorator
    if isinstance(static, functools.partial) or inspect.ismethod(static):
        return True
    return callable(static) and type(static).__module__ == module.__name__ and not isinstance(static, type)


def _check_arguments(implementation: Implementation) -> None:
    """Refuse a function that cannot be called the way its hook is."""
    hook = implementation.hook
    if not _fits(implementation.function, HOOKS[hook]):
        expected = list(inspect.signature(HOOKS[hook]).parameters)
        signature = inspect.signature(implementation.function)
        passed = _PASSED[len(expected)].format(*expected)
        message = f"{hook}{signature} has the wrong signature: the hook {hook} passes {passed}"
        hint = " (if it is not meant as a hook, begin its name with an underscore)"
        raise AddonError(located(implementation.file, implementation.line, message + hint))


def _fits(function: Callable[..., Any], declared: Callable[..., object]) -> bool:
    """Whether *function* can be called the way *declared* is."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True  # written in C, without a signature
    try:
        signature.bind(*inspect.signature(declared).parameters)
    except TypeError:
        return False
    return True


def _check_spelling(member: Member) -> None:
    for name, function, marker in _functions(member.addon):
        if name.startswith("_") or name in HOOKS or marker or hasattr(function, "command_name"):
            continue
        parameters = _required_parameters(function)
        meant = surely_meant(name, HOOKS)
        if meant and len(parameters) == 1 and meant not in member.implementations:
            raise _refused(function, f'there is no hook {name!r}: did you mean "{meant}"?')
        meant = meant or maybe_meant(name, HOOKS)
        if (
            meant
            and parameters
            and (name in RENAMED or parameters == list(inspect.signature(HOOKS[meant]).parameters))
        ):
            logger.warning(
                "addon %s: %s() is not a hook and will not be called; did you mean %s()? (%s, line %d)",
                member.name, name, meant, *place_of(function),
            )  # fmt: skip


def _required_parameters(function: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [
        parameter.name
        for parameter in parameters
        if parameter.kind in positional and parameter.default is parameter.empty
    ]
