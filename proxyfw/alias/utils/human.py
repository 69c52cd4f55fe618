"""``mitmproxy.utils.human``: sizes, times and addresses for people."""

from __future__ import annotations

import ipaddress
import time
from typing import Any

from proxyfw import options
from proxyfw.alias import names_of
from proxyfw.exceptions import OptionsError

SIZE_UNITS = {"b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


def pretty_size(size: int) -> str:
    """``0b``, ``1.5k``, ``10.5m``."""
    value: float = size
    for unit in "bkmg":
        if value < 1024:
            return f"{value:.1f}{unit}" if unit != "b" and value < 100 else f"{value:.0f}{unit}"
        value /= 1024
    return f"{value:.1f}t"


def parse_size(s: str | int | None) -> int | None:
    """The number of bytes that ``5m`` means; numbers and None as they are. Raises ValueError."""
    try:
        return options.parse_size(s) if isinstance(s, str) else s
    except OptionsError:
        raise ValueError("Invalid size specification.") from None


def pretty_duration(secs: float | None) -> str:
    """``123ms``, ``1.23s``, ``12.3s``; nothing for None."""
    if secs is None:
        return ""
    if secs < 1:
        return f"{secs * 1000:.0f}ms"
    return f"{secs:.{0 if secs >= 100 else 1 if secs >= 10 else 2}f}s"


def format_timestamp(s: float) -> str:
    """Date and time of day, here."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(s))


def format_timestamp_with_milli(s: float) -> str:
    """`format_timestamp` with milliseconds."""
    return f"{format_timestamp(s)}.{int(s * 1000) % 1000:03}"


def format_address(address: tuple[Any, ...] | None) -> str:
    """``host:port``; a star for an address that stands for all of them."""
    if address is None:
        return "<no address>"
    host, port = address[:2]
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return f"{host}:{port}"
    if ip.is_unspecified:
        return f"*:{port}"
    if isinstance(ip, ipaddress.IPv6Address):
        return f"{ip.ipv4_mapped}:{port}" if ip.ipv4_mapped else f"[{ip}]:{port}"
    return f"{ip}:{port}"


__getattr__ = names_of("utils.human")
