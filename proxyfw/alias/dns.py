"""``mitmproxy.dns``: ours, and messages as bytes."""

from __future__ import annotations

from proxyfw.dns import *  # noqa: F403
from proxyfw.dns import DNSMessage
from proxyfw.model.rdata import SvcParamKey

from . import names_of

Message = DNSMessage
SVCParamKeys = SvcParamKey

__getattr__ = names_of("dns")
