"""URLs and authorities taken apart and put together without normalising: what comes back is what went in.

The host is the one exception: text that is not ASCII becomes its IDNA form. RFC 3986, RFC 9110 section 4.2.
"""

from __future__ import annotations

from functools import lru_cache

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_NOT_IN_HOST = frozenset(" \t\r\n\0/\\?#@<>[]^|")


def parse(url: str | bytes) -> tuple[str, str, int, str]:
    """*url* as ``(scheme, host, port, path)``; the path keeps query and fragment and is at least ``/``.

    Raises ValueError unless there is a scheme, a host and a port from 1 to 65535; credentials are dropped.
    """
    text = url.decode("utf-8", "surrogateescape") if isinstance(url, bytes) else url
    if not isinstance(text, str):
        raise TypeError(f"a URL must be str or bytes, not {type(url).__name__}: {url!r}")
    scheme, separator, rest = text.partition("://")
    if not separator or not scheme.isascii() or not scheme.replace("+", "").isalnum():
        raise ValueError(f"URL {text!r} has no scheme: write it as http://host/path")
    end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    scheme, path = scheme.lower(), rest[end:]
    host, port = parse_authority(rest[:end].rpartition("@")[2])
    if port is None:
        port = DEFAULT_PORTS.get(scheme, 80)
    return scheme, host, port, path if path.startswith("/") else "/" + path


def parse_authority(authority: str) -> tuple[str, int | None]:
    """``host``, ``host:port``, ``[v6]`` or ``[v6]:port`` as host and port. Raises ValueError for others."""
    if authority.startswith("["):
        host, bracket, port = authority[1:].partition("]")
        valid = bool(bracket) and ":" in host and port[:1] in ("", ":")
        port = port[1:]
    elif authority.count(":") > 1:
        host, port, valid = authority, "", True
    else:
        host, _, port = authority.partition(":")
        valid = True
    if not valid or not host or not _NOT_IN_HOST.isdisjoint(host):
        raise ValueError(f"no valid host in {authority!r}: expected name, name:port or [IPv6]:port")
    return to_ascii(host), _port(port, authority) if port else None


@lru_cache(maxsize=1024)  # rules and filters ask for the same few again and again
def lenient_authority(authority: str) -> tuple[str, int | None]:
    """As `parse_authority`, but what cannot be understood is a host as it stands."""
    try:
        return parse_authority(authority)
    except ValueError:
        return authority, None


def host_and_port(scheme: str, host: str, port: int) -> str:
    """An authority: IPv6 literals in brackets, the port only where it is not *scheme*'s own."""
    if ":" in host:
        host = f"[{host}]"
    return host if DEFAULT_PORTS.get(scheme) == port else f"{host}:{port}"


def unparse(scheme: str, host: str, port: int, path: str) -> str:
    """The inverse of `parse`."""
    return f"{scheme}://{host_and_port(scheme, host, port)}{path}"


def to_ascii(host: str) -> str:
    """*host* as it goes on the wire: IDNA for names that are not ASCII. Raises ValueError if it has none."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"host name {host!r} has no ASCII form (IDNA): {error}") from error


def _port(text: str, authority: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 65536:
        return int(text)
    raise ValueError(f"port {text!r} in {authority!r} is not a number from 1 to 65535")
