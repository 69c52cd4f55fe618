"""Turns what a client calls a host into the names of a certificate (RFC 5280 section 4.2.1.6, RFC 6125)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from cryptography import x509

from proxyfw.exceptions import CertificateError

MAX_COMMON_NAME = 64  # ub-common-name, RFC 5280 appendix A.1


def canonical(name: str) -> str:
    """*name* as it is looked up: lower case A-labels, no trailing dot, no brackets around IPv6.

    Raises:
        CertificateError: no certificate can hold *name*.

    """
    host = name.strip("[]").rstrip(".").lower()
    if not host.isascii():
        host = _a_labels(host)
    if not host or not host.isprintable() or " " in host:
        raise CertificateError(
            f"{name!r} is neither a host name nor an IP address: no certificate can hold it"
        )
    return host


def general_names(names: Iterable[str]) -> list[x509.GeneralName]:
    """The subject alternative names for *names*, duplicates removed, order kept."""
    return [_general_name(host) for host in dict.fromkeys(map(canonical, names))]


def common_name(names: Iterable[x509.GeneralName]) -> str | None:
    """The first host name that fits a common name; None where there is none."""
    for name in names:
        if isinstance(name, x509.DNSName) and len(name.value) <= MAX_COMMON_NAME:
            return name.value
    return None


def _general_name(host: str) -> x509.GeneralName:
    if ":" in host or host[-1].isdigit():
        try:
            return x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            if ":" in host:
                raise CertificateError(f"{host!r} is no IP address; give hosts without a port") from None
    return x509.DNSName(host)


def _a_labels(host: str) -> str:
    wildcard = "*." if host.startswith("*.") else ""
    try:
        return wildcard + host.removeprefix("*.").encode("idna").decode("ascii")
    except UnicodeError as exc:
        raise CertificateError(f"{host!r} is no internationalised host name: {exc}") from exc
