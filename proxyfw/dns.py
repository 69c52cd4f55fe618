"""DNS queries and answers as addons see them. RFC 1035.

Facts and views; packing and unpacking whole messages is the codec's work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Self

from proxyfw import flow as flows
from proxyfw.connection import Client, Server
from proxyfw.flow import Flow
from proxyfw.model import rdata
from proxyfw.model.dnscodes import OpCode, RecordClass, RecordType, ResponseCode
from proxyfw.model.rdata import HTTPSRecord, SvcParamKey

__all__ = [
    "DEFAULT_TTL",
    "DNSFlow",
    "DNSMessage",
    "HTTPSRecord",
    "OpCode",
    "Question",
    "RecordClass",
    "RecordType",
    "ResourceRecord",
    "ResponseCode",
    "classes",
    "op_codes",
    "response_codes",
    "types",
]

DEFAULT_TTL = 60
"""Seconds that made records may be kept."""

# The names these tables have elsewhere in the field: ``dns.types.AAAA``.
types, classes, op_codes, response_codes = RecordType, RecordClass, OpCode, ResponseCode


@dataclass(slots=True)
class Question:
    """What is asked: a name, and which `RecordType` and `RecordClass` of records."""

    name: str
    type: int = RecordType.A
    class_: int = RecordClass.IN

    def to_json(self) -> dict[str, Any]:
        """The question with names for numbers."""
        return {"name": self.name, "type": types.to_str(self.type), "class": classes.to_str(self.class_)}

    def __str__(self) -> str:
        return self.name


@dataclass(slots=True)
class ResourceRecord:
    """One record; `data` is packed, the properties read and write it for the types they know.

    Reading a property whose form the data does not have raises ValueError.
    """

    name: str
    type: int
    class_: int
    ttl: int
    data: bytes

    @property
    def ipv4_address(self) -> IPv4Address:
        """The address of an A record."""
        return IPv4Address(self.data)

    @ipv4_address.setter
    def ipv4_address(self, address: IPv4Address) -> None:
        self.data = address.packed

    @property
    def ipv6_address(self) -> IPv6Address:
        """The address of an AAAA record."""
        return IPv6Address(self.data)

    @ipv6_address.setter
    def ipv6_address(self, address: IPv6Address) -> None:
        self.data = address.packed

    @property
    def domain_name(self) -> str:
        """The name in an NS, CNAME or PTR record."""
        return rdata.unpack_name(self.data)

    @domain_name.setter
    def domain_name(self, name: str) -> None:
        self.data = rdata.pack_name(name)

    @property
    def text(self) -> str:
        """The text of a TXT record, its strings joined."""
        return rdata.unpack_text(self.data)

    @text.setter
    def text(self, text: str) -> None:
        self.data = rdata.pack_text(text)

    @property
    def https(self) -> HTTPSRecord:
        """The data of an HTTPS record; assign to change it. RFC 9460."""
        return rdata.unpack_https(self.data)

    @https.setter
    def https(self, record: HTTPSRecord) -> None:
        self.data = rdata.pack_https(record)

    @property
    def https_alpn(self) -> tuple[bytes, ...] | None:
        """The ALPN names of an HTTPS record; None, also to assign, if it has none."""
        packed = self.https.params.get(SvcParamKey.ALPN)
        return None if packed is None else rdata.unpack_alpn(packed)

    @https_alpn.setter
    def https_alpn(self, protocols: Sequence[bytes] | None) -> None:
        self._set_param(SvcParamKey.ALPN, None if protocols is None else rdata.pack_alpn(tuple(protocols)))

    @property
    def https_ech(self) -> bytes | None:
        """The ECH configuration of an HTTPS record; None, also to assign, if it has none."""
        return self.https.params.get(SvcParamKey.ECH)

    @https_ech.setter
    def https_ech(self, ech: bytes | None) -> None:
        self._set_param(SvcParamKey.ECH, ech)

    @classmethod
    def A(cls, name: str, ip: IPv4Address, *, ttl: int = DEFAULT_TTL) -> ResourceRecord:
        """An IPv4 address for *name*."""
        return cls(name, RecordType.A, RecordClass.IN, ttl, ip.packed)

    @classmethod
    def AAAA(cls, name: str, ip: IPv6Address, *, ttl: int = DEFAULT_TTL) -> ResourceRecord:
        """An IPv6 address for *name*."""
        return cls(name, RecordType.AAAA, RecordClass.IN, ttl, ip.packed)

    @classmethod
    def CNAME(cls, alias: str, canonical: str, *, ttl: int = DEFAULT_TTL) -> ResourceRecord:
        """The name that *alias* stands for."""
        return cls(alias, RecordType.CNAME, RecordClass.IN, ttl, rdata.pack_name(canonical))

    @classmethod
    def PTR(cls, inaddr: str, ptr: str, *, ttl: int = DEFAULT_TTL) -> ResourceRecord:
        """The name of an address in reverse notation."""
        return cls(inaddr, RecordType.PTR, RecordClass.IN, ttl, rdata.pack_name(ptr))

    @classmethod
    def TXT(cls, name: str, text: str, *, ttl: int = DEFAULT_TTL) -> ResourceRecord:
        """A text for *name*."""
        return cls(name, RecordType.TXT, RecordClass.IN, ttl, rdata.pack_text(text))

    @classmethod
    def HTTPS(cls, name: str, record: HTTPSRecord, ttl: int = DEFAULT_TTL) -> ResourceRecord:
        """How to reach *name* over HTTPS."""
        return cls(name, RecordType.HTTPS, RecordClass.IN, ttl, rdata.pack_https(record))

    def to_json(self) -> dict[str, Any]:
        """The record with names for numbers and its data as text."""
        return {
            "name": self.name,
            "type": types.to_str(self.type),
            "class": classes.to_str(self.class_),
            "ttl": self.ttl,
            "data": self._shown(),
        }

    def __str__(self) -> str:
        return str(self._shown())

    def _set_param(self, key: SvcParamKey, value: bytes | None) -> None:
        record = self.https
        if value is None:
            record.params.pop(key, None)
        else:
            record.params[key] = value
        self.https = record

    def _shown(self) -> str:
        name = _VIEWS.get(self.type)
        if name:
            try:
                return str(getattr(self, name))
            except ValueError:
                pass
        return f"0x{self.data.hex()}"


_VIEWS: dict[int, str] = {
    RecordType.A: "ipv4_address",
    RecordType.AAAA: "ipv6_address",
    RecordType.NS: "domain_name",
    RecordType.CNAME: "domain_name",
    RecordType.PTR: "domain_name",
    RecordType.TXT: "text",
    RecordType.HTTPS: "https",
}


@dataclass(slots=True)
class DNSMessage:
    """A query or an answer: the header's fields and the four sections. RFC 1035 section 4."""

    timestamp: float
    id: int
    query: bool
    op_code: int = OpCode.QUERY
    authoritative_answer: bool = False
    truncation: bool = False
    recursion_desired: bool = True
    recursion_available: bool = False
    reserved: int = 0
    response_code: int = ResponseCode.NOERROR
    questions: list[Question] = field(default_factory=list)
    answers: list[ResourceRecord] = field(default_factory=list)
    authorities: list[ResourceRecord] = field(default_factory=list)
    additionals: list[ResourceRecord] = field(default_factory=list)

    @property
    def question(self) -> Question | None:
        """The question, where there is exactly one, as in all of practice."""
        return self.questions[0] if len(self.questions) == 1 else None

    @property
    def size(self) -> int:
        """The bytes of data in all records."""
        return sum(len(record.data) for section in _SECTIONS for record in getattr(self, section))

    def succeed(self, answers: list[ResourceRecord]) -> DNSMessage:
        """A successful answer to this query."""
        return self._answer(ResponseCode.NOERROR, answers, recursion_available=True)

    def fail(self, response_code: int) -> DNSMessage:
        """An answer that says why there is none. Raises ValueError for NOERROR."""
        if response_code == ResponseCode.NOERROR:
            raise ValueError("NOERROR is no failure: use succeed()")
        return self._answer(response_code, [], recursion_available=False)

    def to_json(self) -> dict[str, Any]:
        """The message with names for numbers, for people and other programs; the state is `get_state`."""
        shown: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        shown["op_code"] = op_codes.to_str(self.op_code)
        shown["response_code"] = response_codes.to_str(self.response_code)
        shown["questions"] = [question.to_json() for question in self.questions]
        for section in _SECTIONS:
            shown[section] = [record.to_json() for record in getattr(self, section)]
        return shown

    def copy(self) -> DNSMessage:
        """An equal message that shares nothing that can be edited."""
        return DNSMessage.from_state(self.get_state())

    def get_state(self) -> dict[str, Any]:
        """The message as plain data."""
        state: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        state["op_code"], state["response_code"] = int(self.op_code), int(self.response_code)
        state["questions"] = [[q.name, int(q.type), int(q.class_)] for q in self.questions]
        for section in _SECTIONS:
            records = getattr(self, section)
            state[section] = [[r.name, int(r.type), int(r.class_), r.ttl, r.data] for r in records]
        return state

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> DNSMessage:
        """A message from what `get_state` gave."""
        message = cls(**state)
        message.questions = [Question(*question) for question in state["questions"]]
        for section in _SECTIONS:
            setattr(message, section, [ResourceRecord(*record) for record in state[section]])
        return message

    def _answer(self, code: int, answers: list[ResourceRecord], recursion_available: bool) -> DNSMessage:
        return DNSMessage(
            timestamp=flows.clock(),
            id=self.id,
            query=False,
            questions=[replace(question) for question in self.questions],
            answers=answers,
            op_code=self.op_code,
            recursion_desired=self.recursion_desired,
            recursion_available=recursion_available,
            response_code=code,
        )


_SECTIONS = ("answers", "authorities", "additionals")


class DNSFlow(Flow):
    """One query and its answer; assigning `response` in ``dns_request`` answers it."""

    type = "dns"
    __slots__ = ("request", "response")
    request: DNSMessage
    response: DNSMessage | None

    def __init__(self, client_conn: Client, server_conn: Server, live: bool = False) -> None:
        super().__init__(client_conn, server_conn, live)
        self.response = None

    @property
    def timestamp_start(self) -> float:
        """When the query arrived."""
        return self.request.timestamp

    def __repr__(self) -> str:
        request: DNSMessage | None = getattr(self, "request", None)
        return f"<DNSFlow {request.question if request else None!r} {self.response!r}>"

    def _assign(self, other: Self) -> None:
        super()._assign(other)
        self.request = other.request.copy()
        self.response = other.response.copy() if other.response is not None else None

    def _facts(self) -> dict[str, Any]:
        facts = super()._facts()
        facts["request"] = self.request.get_state()
        facts["response"] = self.response.get_state() if self.response is not None else None
        return facts

    def _take_facts(self, facts: Mapping[str, Any]) -> None:
        super()._take_facts(facts)
        response = facts["response"]
        self.request = DNSMessage.from_state(facts["request"])
        self.response = DNSMessage.from_state(response) if response is not None else None
