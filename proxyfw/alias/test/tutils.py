"""``mitmproxy.test.tutils``: requests, responses and DNS messages to test with."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

from proxyfw.alias import names_of
from proxyfw.dns import DNSMessage, Question, ResourceRecord
from proxyfw.http import Headers, Request, Response

START = 946681200
"""Seconds since 1970 at which everything here begins."""


def treq(**kwargs: Any) -> Request:
    """``GET http://address:22/path`` with a body; *kwargs* replace arguments of `Request`."""
    facts: dict[str, Any] = {
        "host": "address",
        "port": 22,
        "method": b"GET",
        "scheme": b"http",
        "authority": b"",
        "path": b"/path",
        "http_version": b"HTTP/1.1",
        "headers": Headers(((b"header", b"qvalue"), (b"content-length", b"7"))),
        "content": b"content",
        "trailers": None,
        "timestamp_start": START,
        "timestamp_end": START + 1,
    }
    return Request(**facts | kwargs)


def tresp(**kwargs: Any) -> Response:
    """``200 OK`` with a body; *kwargs* replace arguments of `Response`."""
    facts: dict[str, Any] = {
        "http_version": b"HTTP/1.1",
        "status_code": 200,
        "reason": b"OK",
        "headers": Headers(((b"header-response", b"svalue"), (b"content-length", b"7"))),
        "content": b"message",
        "trailers": None,
        "timestamp_start": START + 2,
        "timestamp_end": START + 3,
    }
    return Response(**facts | kwargs)


def tdnsreq(**kwargs: Any) -> DNSMessage:
    """A query for the address of dns.google."""
    facts: dict[str, Any] = {
        "timestamp": START,
        "id": 42,
        "query": True,
        "questions": [Question("dns.google")],
    }
    return DNSMessage(**facts | kwargs)


def tdnsresp(**kwargs: Any) -> DNSMessage:
    """Its answer."""
    addresses = (IPv4Address("8.8.8.8"), IPv4Address("8.8.4.4"))
    facts: dict[str, Any] = {
        "timestamp": START + 1,
        "id": 42,
        "query": False,
        "recursion_available": True,
        "questions": [Question("dns.google")],
        "answers": [ResourceRecord.A("dns.google", address, ttl=32) for address in addresses],
    }
    return DNSMessage(**facts | kwargs)


__getattr__ = names_of("test.tutils")
