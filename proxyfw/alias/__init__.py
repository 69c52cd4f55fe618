"""The modules that ``import mitmproxy`` finds: ours, under the names that scripts of the field know.

A module that is simply one of ours *is* ours, so classes are the same; those that differ are in this folder.
What cannot be had is refused by name, with what to use instead. Nothing is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from .gone import INSTEAD

__all__ = ["INSTEAD", "PACKAGE", "SAME", "missing", "module_named", "names_of"]

PACKAGE = "mitmproxy"

SAME = {
    "addonmanager": "proxyfw.addonmanager",
    "addons.anticache": "proxyfw.alias.addons.present",
    "addons.anticomp": "proxyfw.alias.addons.present",
    "addons.block": "proxyfw.alias.addons.present",
    "addons.blocklist": "proxyfw.alias.addons.present",
    "addons.clientplayback": "proxyfw.alias.addons.present",
    "addons.core": "proxyfw.alias.addons.present",
    "addons.disable_h2c": "proxyfw.alias.addons.present",
    "addons.dns_resolver": "proxyfw.alias.addons.present",
    "addons.errorcheck": "proxyfw.alias.addons.present",
    "addons.intercept": "proxyfw.alias.addons.present",
    "addons.keepserving": "proxyfw.alias.addons.present",
    "addons.maplocal": "proxyfw.alias.addons.present",
    "addons.mapremote": "proxyfw.alias.addons.present",
    "addons.modifybody": "proxyfw.alias.addons.present",
    "addons.modifyheaders": "proxyfw.alias.addons.present",
    "addons.next_layer": "proxyfw.alias.addons.present",
    "addons.onboarding": "proxyfw.alias.addons.present",
    "addons.proxyserver": "proxyfw.alias.addons.present",
    "addons.readfile": "proxyfw.alias.addons.present",
    "addons.save": "proxyfw.alias.addons.present",
    "addons.script": "proxyfw.alias.addons.present",
    "addons.stickyauth": "proxyfw.alias.addons.present",
    "addons.stickycookie": "proxyfw.alias.addons.present",
    "addons.termlog": "proxyfw.alias.addons.present",
    "addons.tlsconfig": "proxyfw.alias.addons.present",
    "addons.upstream_auth": "proxyfw.alias.addons.present",
    "certs": "proxyfw.certs",
    "command": "proxyfw.command",
    "connection": "proxyfw.connection",
    "contentviews.base": "proxyfw.alias.contentviews",
    "ctx": "proxyfw.ctx",
    "flow": "proxyfw.flow",
    "flowfilter": "proxyfw.flowfilter",
    "http": "proxyfw.http",
    "io.io": "proxyfw.alias.io",
    "net.http.http1.assemble": "proxyfw.alias.net.http.http1",
    "net.http.http1.read": "proxyfw.alias.net.http.http1",
    "proxy.layers.http": "proxyfw.alias.proxy.layers",
    "proxy.layers.modes": "proxyfw.alias.proxy.layers",
    "proxy.layers.tcp": "proxyfw.alias.proxy.layers",
    "proxy.layers.tls": "proxyfw.alias.proxy.layers",
    "proxy.layers.udp": "proxyfw.alias.proxy.layers",
    "proxy.layers.websocket": "proxyfw.alias.proxy.layers",
    "script.concurrent": "proxyfw.alias.script",
    "tcp": "proxyfw.tcp",
    "tls": "proxyfw.tls",
    "tools._main": "proxyfw.alias.tools.main",
    "types": "proxyfw.types",
    "udp": "proxyfw.udp",
    "websocket": "proxyfw.websocket",
}
"""Module of the field -> module of ours that it simply is."""


def module_named(name: str) -> ModuleType:
    """Our module for ``mitmproxy`` or ``mitmproxy.x.y``. Raises ModuleNotFoundError, saying what to use."""
    inside = name.removeprefix(PACKAGE).removeprefix(".")
    if name in _found:
        return _found[name]
    parts = inside.split(".")
    for end in range(len(parts), 0, -1):
        hint = INSTEAD.get(".".join(parts[:end]))
        if hint is not None:
            raise ModuleNotFoundError(f"there is no module {name!r} in proxyfw: {hint}", name=name)
    ours = SAME.get(inside) or f"{__name__}.{inside}".rstrip(".")
    try:
        module = import_module(ours)
    except ModuleNotFoundError as problem:
        if problem.name is None or not f"{ours}.".startswith(f"{problem.name}."):
            raise
        raise ModuleNotFoundError(f"No module named {name!r}: {_SEE}", name=name) from None
    _found[name] = module
    return module


def names_of(package: str) -> Callable[[str], Any]:
    """``__getattr__`` for the module *package* (``net.http``): its submodules, and why others are missing."""

    def look_up(name: str) -> Any:
        path = f"{package}.{name}".lstrip(".")
        if path in INSTEAD:
            # No AttributeError: ``from x import name`` would put a message of its own in place of this one.
            raise ImportError(f"{PACKAGE}.{path} is not in proxyfw: {INSTEAD[path]}")
        if not name.startswith("__"):
            try:
                return module_named(f"{PACKAGE}.{path}")
            except ModuleNotFoundError:
                pass
        raise AttributeError(f"module '{PACKAGE}.{package}'".replace(".'", "'") + f" has no {name!r}: {_SEE}")

    return look_up


def missing(name: str, wanted: str) -> str:
    """Why ``from name import wanted`` finds nothing."""
    path = f"{name}.{wanted}".removeprefix(f"{PACKAGE}.")
    return INSTEAD.get(path, _SEE)


_SEE = "proxyfw has nothing of that name; docs/reference/mitmproxy-names.md lists what there is"
_found: dict[str, ModuleType] = {}

__getattr__ = names_of("")
