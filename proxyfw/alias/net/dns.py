"""``mitmproxy.net.dns``: the tables of numbers, as attributes: ``response_codes.NXDOMAIN``, ``types.A``."""

from __future__ import annotations

from proxyfw.alias import names_of
from proxyfw.dns import classes, op_codes, response_codes, types

__all__ = ["classes", "op_codes", "response_codes", "types"]

__getattr__ = names_of("net.dns")
