"""A programmable man-in-the-middle proxy: traffic becomes flows, hooks hand them to addons.

``from proxyfw import http, ctx`` is all that most scripts need; `Proxy` is for programs that contain one.
Everything here is imported when it is first used, so that ``import proxyfw`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pluggy

    from proxyfw import (
        addonmanager,
        certs,
        command,
        config,
        connection,
        contentviews,
        ctx,
        dns,
        exceptions,
        flow,
        flowfilter,
        hookspecs,
        http,
        io,
        log,
        options,
        proxy,
        redaction,
        replay,
        rules,
        script,
        sse,
        tcp,
        testing,
        tls,
        types,
        udp,
        websocket,
    )
    from proxyfw.addon.importing import as_mitmproxy
    from proxyfw.exceptions import (
        AddonError,
        CertificateError,
        CommandError,
        FilterError,
        OptionsError,
        ProxyfwError,
    )
    from proxyfw.options import Options
    from proxyfw.proxy import Proxy

    __version__: str
    #: Marks a hook that wants another place or name: ``tryfirst=True``, ``trylast=True``, ``specname="…"``.
    hookimpl: pluggy.HookimplMarker

__all__ = [
    "AddonError",
    "CertificateError",
    "CommandError",
    "FilterError",
    "Options",
    "OptionsError",
    "Proxy",
    "ProxyfwError",
    "__version__",
    "addonmanager",
    "as_mitmproxy",
    "certs",
    "command",
    "config",
    "connection",
    "contentviews",
    "ctx",
    "dns",
    "exceptions",
    "flow",
    "flowfilter",
    "hookimpl",
    "hookspecs",
    "http",
    "io",
    "log",
    "options",
    "proxy",
    "redaction",
    "replay",
    "rules",
    "script",
    "sse",
    "tcp",
    "testing",
    "tls",
    "types",
    "udp",
    "websocket",
]

_HOMES = {
    "AddonError": "exceptions",
    "CertificateError": "exceptions",
    "CommandError": "exceptions",
    "FilterError": "exceptions",
    "Options": "options",
    "OptionsError": "exceptions",
    "Proxy": "proxy",
    "ProxyfwError": "exceptions",
    "as_mitmproxy": "addon.importing",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'proxyfw' has no attribute {name!r}")
    value = globals()[name] = _first_use_of(name)
    return value


def _first_use_of(name: str) -> Any:
    if name == "hookimpl":
        return import_module("pluggy").HookimplMarker("proxyfw")
    if name == "__version__":
        return import_module("importlib.metadata").version("proxyfw")
    module = import_module(f"proxyfw.{_HOMES.get(name, name)}")
    return getattr(module, name) if name in _HOMES else module


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
