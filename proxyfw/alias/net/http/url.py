"""``mitmproxy.net.http.url``: URLs and queries taken apart and put together."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl, quote, unquote, urlencode

from proxyfw.alias import names_of
from proxyfw.model import url

__all__ = [
    "decode", "default_port", "encode", "hostport", "is_valid_host", "is_valid_port", "parse",
    "parse_authority", "quote", "unparse", "unquote",
]  # fmt: skip


def parse(url_: str | bytes) -> tuple[bytes, bytes, int, bytes]:
    """Scheme, host, port and path; all but the port as bytes. Raises ValueError."""
    scheme, host, port, path = url.parse(url_)
    return scheme.encode(), host.encode(), port, path.encode("utf-8", "surrogateescape")


def unparse(scheme: str, host: str, port: int, path: str = "") -> str:
    """The inverse of `parse`."""
    return url.unparse(scheme, host, port, path)


def encode(s: Sequence[tuple[str, str]], similar_to: str | None = None) -> str:
    """Pairs as a query; with *similar_to*, empty values are written as they are there."""
    encoded = urlencode(s, errors="surrogateescape")
    if encoded and similar_to and "=" not in similar_to.partition("&")[0]:
        encoded = encoded.replace("=&", "&").removesuffix("=")
    return encoded


def decode(s: str) -> list[tuple[str, str]]:
    """A query as pairs."""
    return parse_qsl(s, keep_blank_values=True, errors="surrogateescape")


def hostport(scheme: str, host: str, port: int) -> str:
    """``host:port``, without the port if it is the scheme's own."""
    return url.host_and_port(scheme, host, port)


def default_port(scheme: str) -> int | None:
    """The usual port of ``http`` or ``https``."""
    return url.DEFAULT_PORTS.get(scheme)


def parse_authority(authority: str, check: bool) -> tuple[str, int | None]:
    """Host and port. With *check* raises ValueError for what is not valid, else lets it pass."""
    return url.parse_authority(authority) if check else url.lenient_authority(authority)


def is_valid_host(host: str | bytes) -> bool:
    """Whether *host* can be a name or an address."""
    text = host.decode("idna") if isinstance(host, bytes) else host
    try:
        return url.parse_authority(f"[{text}]" if ":" in text else text)[1] is None and len(text) < 256
    except ValueError:
        return False


def is_valid_port(port: int) -> bool:
    """Whether *port* is between 0 and 65535."""
    return 0 <= port <= 65535


__getattr__ = names_of("net.http.url")
