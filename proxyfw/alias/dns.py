"""``mitmproxy.dns``: ours, and messages as bytes."""

from __future__ import annotations

from proxyfw import dns
from proxyfw.dns import *  # noqa: F403
from proxyfw.dns import DNSMessage
from proxyfw.model.rdata import SvcParamKey
from proxyfw.protocol import dns as codec

from . import names_of

__all__ = [*dns.__all__, "Message", "SVCParamKeys"]

# The model packs nothing itself; who imports this module expects that it does.
setattr(DNSMessage, "packed", property(codec.pack))  # noqa: B010  # a type checker would not see it either
setattr(DNSMessage, "unpack", staticmethod(codec.unpack))  # noqa: B010

Message = DNSMessage
SVCParamKeys = SvcParamKey

__getattr__ = names_of("dns")
