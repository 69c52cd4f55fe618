"""``mitmproxy.net``."""

from proxyfw.alias import names_of

__getattr__ = names_of("net")
