"""DNS messages as bytes and back, over dnspython; and their frames on a stream. RFC 1035, RFC 7766.

Importing this module imports dnspython: only what speaks DNS does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from io import BytesIO

import dns.exception
import dns.name
import dns.rdata
import dns.wire

from proxyfw import flow
from proxyfw.dns import DNSMessage, Question, RecordType, ResourceRecord
from proxyfw.exceptions import LocalProtocolError, ProtocolError

MAX_SIZE = 65535
"""The longest message, and what a datagram or frame can carry."""
PLAIN_SIZE = 512
"""The longest datagram for who has not said (EDNS) that it takes more. RFC 1035 section 4.2.1."""

_HEADER = struct.Struct("!HHHHHH")
_RESPONSE, _AUTHORITATIVE, _TRUNCATED, _WANTED, _AVAILABLE = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080
_COMPRESSED = frozenset({2, 5, 6, 7, 8, 9, 12, 14, 15, 17, 18, 21, 24, 26, 30, 33, 35, 36, 39})
"""Types whose data may have names that point into the message; in all later ones they may not. RFC 3597."""


def unpack(data: bytes) -> DNSMessage:
    """The message that is all of *data*. Raises ProtocolError."""
    try:
        parser = dns.wire.Parser(data)
        id, flags, *counts = parser.get_struct("!HHHHHH")
        message = _header(id, flags)
        message.questions = [_question(parser) for _ in range(counts[0])]
        message.answers = [_record(parser) for _ in range(counts[1])]
        message.authorities = [_record(parser) for _ in range(counts[2])]
        message.additionals = [_record(parser) for _ in range(counts[3])]
        if parser.remaining():
            raise ProtocolError(f"malformed DNS message: {parser.remaining()} bytes behind its end")
    except (dns.exception.DNSException, ValueError, struct.error) as e:
        raise ProtocolError(f"malformed DNS message: {e or type(e).__name__}") from e
    return message


def pack(message: DNSMessage) -> bytes:
    """*message* as bytes. Raises LocalProtocolError for what cannot be said."""
    try:
        sections = [message.answers, message.authorities, message.additionals]
        out = BytesIO()
        counts = [len(message.questions), *(len(section) for section in sections)]
        out.write(_HEADER.pack(message.id, _flags(message), *counts))
        known: _Known = {}
        for question in message.questions:
            _write_name(out, question.name, known)
            out.write(struct.pack("!HH", question.type, question.class_))
        for record in (record for section in sections for record in section):
            _write_name(out, record.name, known)
            out.write(struct.pack("!HHIH", record.type, record.class_, record.ttl, len(record.data)))
            out.write(record.data)
    except (dns.exception.DNSException, ValueError, TypeError, struct.error) as e:
        raise LocalProtocolError(f"a DNS message that cannot be sent: {e or type(e).__name__}") from e
    data = out.getvalue()
    if len(data) > MAX_SIZE:
        raise LocalProtocolError(f"a DNS message of {len(data)} bytes cannot be sent: {MAX_SIZE} at most")
    return data


def payload_limit(query: DNSMessage) -> int:
    """The longest datagram that who sent *query* takes. RFC 6891 section 6.2.3."""
    for record in query.additionals:
        if record.type == RecordType.OPT:
            return max(record.class_, PLAIN_SIZE)
    return PLAIN_SIZE


def truncated(response: DNSMessage) -> DNSMessage:
    """*response* without its records, which says that it has more than fits: ask again over TCP."""
    short = response.copy()
    short.truncation = True
    short.answers, short.authorities = [], []
    short.additionals = [record for record in short.additionals if record.type == RecordType.OPT]
    return short


def frame(data: bytes) -> bytes:
    """*data* as it goes over a stream. RFC 1035 section 4.2.2."""
    return len(data).to_bytes(2, "big") + data


class Frames:
    """Takes a stream apart into messages."""

    def __init__(self) -> None:
        self._data = b""

    def receive(self, data: bytes) -> list[bytes]:
        """The messages that *data* completes."""
        self._data += data
        messages, at = [], 0
        while len(self._data) >= at + 2:
            end = at + 2 + int.from_bytes(self._data[at : at + 2], "big")
            if len(self._data) < end:
                break
            messages.append(self._data[at + 2 : end])
            at = end
        self._data = self._data[at:]
        return messages


def same_question(one: Iterable[Question], other: Iterable[Question]) -> bool:
    """Whether both ask the same; names are compared as DNS does. RFC 4343."""
    return [_key(q) for q in one] == [_key(q) for q in other]


def _key(question: Question) -> tuple[str, int, int]:
    return question.name.lower(), question.type, question.class_


def _header(id: int, flags: int) -> DNSMessage:
    return DNSMessage(
        timestamp=flow.clock(),
        id=id,
        query=not flags & _RESPONSE,
        op_code=flags >> 11 & 15,
        authoritative_answer=bool(flags & _AUTHORITATIVE),
        truncation=bool(flags & _TRUNCATED),
        recursion_desired=bool(flags & _WANTED),
        recursion_available=bool(flags & _AVAILABLE),
        reserved=flags >> 4 & 7,
        response_code=flags & 15,
    )


def _flags(message: DNSMessage) -> int:
    if message.op_code >> 4 or message.response_code >> 4 or message.reserved >> 3:
        raise ValueError("op_code and response_code have 4 bits, reserved has 3")
    return (
        (0 if message.query else _RESPONSE)
        | message.op_code << 11
        | (_AUTHORITATIVE if message.authoritative_answer else 0)
        | (_TRUNCATED if message.truncation else 0)
        | (_WANTED if message.recursion_desired else 0)
        | (_AVAILABLE if message.recursion_available else 0)
        | message.reserved << 4
        | message.response_code
    )


def _question(parser: dns.wire.Parser) -> Question:
    name = _text(dns.name.from_wire_parser(parser))
    return Question(name, *parser.get_struct("!HH"))


def _record(parser: dns.wire.Parser) -> ResourceRecord:
    name = _text(dns.name.from_wire_parser(parser))
    kind, class_, ttl, size = parser.get_struct("!HHIH")
    if kind not in _COMPRESSED:
        return ResourceRecord(name, kind, class_, ttl, parser.get_bytes(size))
    with parser.restrict_to(size):
        data = dns.rdata.from_wire_parser(class_, kind, parser).to_wire()
    assert data is not None
    return ResourceRecord(name, kind, class_, ttl, data)


def _text(name: dns.name.Name) -> str:
    """*name* as the model has it: without the last dot, which is the root's name."""
    return name.to_text(omit_final_dot=True)


_Known = dict[tuple[bytes, ...], int]
"""Where in a message which names are, by their labels; in the case in which they are written there."""


def _write_name(out: BytesIO, text: str, known: _Known) -> None:
    """Write a name, pointing at what is there already. RFC 1035 section 4.1.4.

    Unlike dnspython's own compression this keeps the case of every letter, by which resolvers tell forgeries.
    """
    plain = {"": ".", "@": r"\@"}.get(text, text)  # zone files know "@" as another name for their own
    labels = dns.name.from_text(plain).labels
    for first in range(len(labels) - 1):
        rest = labels[first:]
        if rest in known:
            out.write(struct.pack("!H", 0xC000 | known[rest]))
            return
        if out.tell() < 0x4000:
            known[rest] = out.tell()
        out.write(bytes((len(labels[first]),)) + labels[first])
    out.write(b"\0")
