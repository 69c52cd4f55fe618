"""``mitmproxy.version``: the version whose addon API and file format are honoured here."""

from __future__ import annotations

from proxyfw.io import FORMAT_VERSION as FLOW_FORMAT_VERSION

from . import names_of

__all__ = ["FLOW_FORMAT_VERSION", "MITMPROXY", "VERSION", "get_dev_version"]

VERSION = "11.1.0"
MITMPROXY = f"mitmproxy {VERSION} (proxyfw)"


def get_dev_version() -> str:
    """The version, for people."""
    from proxyfw import __version__

    return f"{VERSION} (proxyfw {__version__})"


__getattr__ = names_of("version")
