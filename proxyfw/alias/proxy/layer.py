"""``mitmproxy.proxy.layer``: names for annotations."""

from __future__ import annotations

from proxyfw.alias import names_of
from proxyfw.alias.proxy.layers import Layer
from proxyfw.hookspecs import NextLayer

__all__ = ["Layer", "NextLayer"]

__getattr__ = names_of("proxy.layer")
