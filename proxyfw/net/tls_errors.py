"""What OpenSSL's errors mean to a person, and what can be done about them."""

from __future__ import annotations

from OpenSSL import SSL

from proxyfw.protocol.tls import alert_from_openssl

_VERIFY = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    12: "its certificate's revocation list has expired",
    18: "its certificate is self-signed",
    19: "its certificate is signed by an unknown authority (a self-signed one is in the chain)",
    20: "its certificate is signed by an unknown authority",
    21: "its certificate is signed by an unknown authority (the chain is incomplete)",
    23: "its certificate has been revoked",
    24: "its certificate's issuer is not an authority",
    26: "its certificate is not meant for servers",
}
"""By OpenSSL's X509_V_ERR number (openssl/x509_vfy.h)."""

_REASONS = {
    "no protocols available": "no TLS version is allowed: check the tls_version_* options",
    "unsupported protocol": "it offers no TLS version that we allow (see the tls_version_* options)",
    "tlsv1 alert protocol version": "it allows no TLS version that we offer (see the tls_version_* options)",
    "tlsv13 alert certificate required": "it insists on a client certificate (see the option client_certs)",
    "no shared cipher": "there is no cipher that both sides allow",
    "wrong version number": "what it sent is not TLS",
    "http request": "it spoke plain HTTP where TLS was expected",
    "unexpected eof while reading": "it closed the connection during the TLS handshake",
}


def readable(error: SSL.Error) -> str:
    """One phrase for *error*, as the continuation of a sentence about the other side."""
    if isinstance(error, SSL.SysCallError):
        return _REASONS["unexpected eof while reading"]
    reasons = [str(entry[-1]) for entry in (error.args[0] if error.args else []) if isinstance(entry, tuple)]
    for reason in reasons:
        if alert := alert_from_openssl(reason):
            return _REASONS.get(reason, f"it sent the TLS alert {alert.name!r}")
        if reason in _REASONS:
            return _REASONS[reason]
    return ", ".join(reasons) or "the TLS handshake failed"


def verify_failure(number: int) -> str:
    """Why a certificate was not accepted, by OpenSSL's verification error *number*."""
    return _VERIFY.get(number, f"its certificate is not acceptable (OpenSSL verify error {number})")
