"""``mitmproxy.utils``."""

from proxyfw.alias import names_of

__getattr__ = names_of("utils")
