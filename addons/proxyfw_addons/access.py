"""Refuses clients by the kind of address they come from: by default the open internet, so that a proxy that
listens on all addresses is not everybody's. Loopback is never refused; who a client is, is not looked at.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.connection import Client


def load(loader: Loader) -> None:
    """Declare the two options."""
    loader.add_option("block_global", bool, True, "Refuse clients with a public address.")
    loader.add_option("block_private", bool, False, "Refuse clients with a private address.")


def client_connected(client: Client) -> None:
    """Refuse the client if its address is of a kind that the options block."""
    if client.error is None and client.peername:
        client.error = refusal(client.peername[0], ctx.options.block_global, ctx.options.block_private)


def refusal(host: str, block_global: bool, block_private: bool) -> str | None:
    """Why a client at the address *host* is refused, or None if it is not."""
    address = plain_address(host)
    if address is None or address.is_loopback:
        return None
    if address.is_global:  # neither private nor global is what carriers hand out (RFC 6598): inside, here
        return f"{address} is a public address (option block_global)" if block_global else None
    return f"{address} is a private address (option block_private)" if block_private else None


def plain_address(host: str) -> IPv4Address | IPv6Address | None:
    """*host* as an address: without a zone, and IPv4 where it is mapped into IPv6 (RFC 4291 section 2.5.5.2).

    None if it is no address at all: a client on a socket that has none is on this machine.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
