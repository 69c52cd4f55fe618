"""``mitmproxy.hooks``: hooks as events: a name, and what the hook is called with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from proxyfw import hookspecs

from . import names_of


class Hook:
    """One moment; there is a class for each hook, ``RequestHook`` for ``request``."""

    name: ClassVar[str] = ""
    function: ClassVar[Callable[..., None]]

    def __init__(self, *arguments: Any) -> None:
        self._arguments = list(arguments)

    def args(self) -> list[Any]:
        """What the hook is called with."""
        return self._arguments


def _of(name: str, function: Callable[..., None]) -> type[Hook]:
    title = "".join(word.capitalize() for word in name.split("_"))
    return type(f"{title}Hook", (Hook,), {"name": name, "function": staticmethod(function)})


all_hooks = {name: _of(name, function) for name, function in hookspecs.HOOKS.items()}
"""The class of each hook, by the hook's name."""

globals().update({kind.__name__: kind for kind in all_hooks.values()})

__getattr__ = names_of("hooks")
