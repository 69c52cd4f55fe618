"""What the proxy says when it is ready: where it listens and how to try it."""

from __future__ import annotations

import logging
import shlex

from proxyfw import ctx
from proxyfw.connection import shown_address
from proxyfw.proxy import Proxy

logger = logging.getLogger("proxyfw")


class Announcement:
    """The addon that logs it."""

    def running(self) -> None:
        """Log it."""
        logger.info("%s", announcement(ctx.proxy))


def announcement(proxy: Proxy) -> str:
    """The lines that *proxy* greets its user with."""
    path = proxy.ca_cert_path
    if not proxy.addresses:
        return f"not listening\nCA certificate: {path}"
    places = ", ".join(map(shown_address, proxy.addresses))
    command = shlex.join(["curl", "-x", proxy.url, "--cacert", str(path), "https://example.com/"])
    return f"listening on {places}\nCA certificate: {path}\ntry: {command}"
