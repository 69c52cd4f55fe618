"""The numbers of DNS and their names: record types, classes, operations, response codes. IANA registry."""

from __future__ import annotations

from enum import IntEnum
from typing import Self


class _Code(IntEnum):
    """Numbers that are not registered stay plain ints; `to_str` and `from_str` speak of both."""

    @classmethod
    def to_str(cls, value: int) -> str:
        """The registered name of *value*, or the enum's name with the number: ``RecordType(1234)``."""
        try:
            return cls(value).name
        except ValueError:
            return f"{cls.__name__}({value})"

    @classmethod
    def from_str(cls, name: str) -> Self:
        """The member called *name*. Raises ValueError for others."""
        try:
            return cls[name.upper()]
        except KeyError:
            raise ValueError(f"no {cls.__name__} is called {name!r}") from None


class RecordType(_Code):
    """What a resource record holds. RFC 1035 section 3.2.2 and later."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    HINFO = 13
    MX = 15
    TXT = 16
    AAAA = 28
    SRV = 33
    NAPTR = 35
    DNAME = 39
    OPT = 41
    DS = 43
    SSHFP = 44
    RRSIG = 46
    NSEC = 47
    DNSKEY = 48
    NSEC3 = 50
    TLSA = 52
    SVCB = 64
    HTTPS = 65
    IXFR = 251
    AXFR = 252
    ANY = 255
    CAA = 257


class RecordClass(_Code):
    """RFC 1035 section 3.2.4."""

    IN = 1
    CH = 3
    HS = 4
    NONE = 254
    ANY = 255


class OpCode(_Code):
    """What a message asks for. RFC 1035 section 4.1.1."""

    QUERY = 0
    IQUERY = 1
    STATUS = 2
    NOTIFY = 4
    UPDATE = 5


class ResponseCode(_Code):
    """How a query was answered. RFC 1035 section 4.1.1, RFC 2136 section 2.2."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    YXDOMAIN = 6
    YXRRSET = 7
    NXRRSET = 8
    NOTAUTH = 9
    NOTZONE = 10
