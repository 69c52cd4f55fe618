"""DNS messages as bytes and back. RFC 1035; dnspython's own messages are the other opinion."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise

import dns.message
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxyfw import dns as model
from proxyfw.dns import DNSMessage, HTTPSRecord, Question, RecordClass, RecordType, ResourceRecord
from proxyfw.exceptions import LocalProtocolError, ProtocolError
from proxyfw.protocol.dns import (
    PLAIN_SIZE,
    Frames,
    frame,
    pack,
    payload_limit,
    same_question,
    truncated,
    unpack,
)

QUERY = bytes.fromhex("abcd01000001000000000000") + b"\x07example\x03com\x00" + bytes.fromhex("00010001")

ZONE = [
    "example.com. 300 IN A 192.0.2.1",
    "example.com. 300 IN AAAA 2001:db8::1",
    "example.com. 300 IN NS ns1.example.com.",
    "www.example.com. 60 IN CNAME example.com.",
    "1.2.0.192.in-addr.arpa. 60 IN PTR www.example.com.",
    "example.com. 60 IN MX 10 mail.example.com.",
    "example.com. 60 IN SOA ns1.example.com. admin.example.com. 1 2 3 4 5",
    '_acme.example.com. 60 IN TXT "one" "two"',
    "_sip._tcp.example.com. 60 IN SRV 1 2 5060 sip.example.com.",
    "example.com. 60 IN HTTPS 1 . alpn=h2,h3",
    "example.com. 60 IN TYPE65280 \\# 4 01020304",
    "*.example.com. 60 IN A 192.0.2.9",
    r"a\.b.example.com. 60 IN A 192.0.2.9",
    r"\000\255.example.com. 60 IN A 192.0.2.9",
    ". 60 IN NS a.root-servers.net.",
]


def foreign(lines: list[str]) -> dns.message.Message:
    """A response as dnspython has it, with names compressed wherever that is allowed."""
    message = dns.message.make_response(dns.message.make_query("example.com", "ANY", id=7))
    for line in lines:
        name, ttl, class_, kind, data = line.split(" ", 4)
        message.answer.append(dns.rrset.from_text(name, int(ttl), class_, kind, data))
    return message


def test_a_query() -> None:
    message = unpack(QUERY)
    assert (message.id, message.query, message.recursion_desired) == (0xABCD, True, True)
    assert message.questions == [Question("example.com", RecordType.A, RecordClass.IN)]
    assert pack(message) == QUERY


@pytest.mark.parametrize("line", ZONE)
def test_each_kind_of_record_survives(line: str) -> None:
    theirs = foreign([line])
    message = unpack(theirs.to_wire())
    again = dns.message.from_wire(pack(message))
    assert again.answer == theirs.answer
    assert unpack(pack(message)).answers == message.answers


def test_all_records_in_one_message_and_their_order() -> None:
    theirs = foreign(ZONE)
    message = unpack(theirs.to_wire())
    assert [record.type for record in message.answers] == [rr.rdtype for rr in theirs.answer]
    assert dns.message.from_wire(pack(message)) == theirs


def test_data_is_unpacked_so_that_the_model_can_read_it() -> None:
    answers = unpack(foreign(ZONE).to_wire()).answers
    assert answers[0].ipv4_address == IPv4Address("192.0.2.1")
    assert answers[1].ipv6_address == IPv6Address("2001:db8::1")
    assert [answers[at].domain_name for at in (2, 3, 4)] == [
        "ns1.example.com", "example.com", "www.example.com",
    ]  # fmt: skip
    assert answers[7].text == "onetwo"
    assert answers[9].https_alpn == (b"h2", b"h3")
    assert answers[12].name == r"a\.b.example.com"
    assert answers[14].name == "."


def test_what_the_model_makes_is_what_others_read() -> None:
    query = unpack(QUERY)
    made = [
        ResourceRecord.A("example.com", IPv4Address("192.0.2.7")),
        ResourceRecord.AAAA("example.com", IPv6Address("2001:db8::7"), ttl=5),
        ResourceRecord.CNAME("www.example.com", "example.com"),
        ResourceRecord.PTR("7.2.0.192.in-addr.arpa", "example.com"),
        ResourceRecord.TXT("example.com", "v=1"),
        ResourceRecord.HTTPS("example.com", HTTPSRecord(1, "svc.example.com")),
        ResourceRecord.A("bücher.example", IPv4Address("192.0.2.8")),
    ]
    theirs = dns.message.from_wire(pack(query.succeed(made)))
    assert [rr.to_text() for rr in theirs.answer] == [
        "example.com. 60 IN A 192.0.2.7",
        "example.com. 5 IN AAAA 2001:db8::7",
        "www.example.com. 60 IN CNAME example.com.",
        "7.2.0.192.in-addr.arpa. 60 IN PTR example.com.",
        'example.com. 60 IN TXT "v=1"',
        "example.com. 60 IN HTTPS 1 svc.example.com.",
        "xn--bcher-kva.example. 60 IN A 192.0.2.8",
    ]


@pytest.mark.parametrize("bit", range(16))
def test_every_bit_of_the_flags_survives(bit: int) -> None:
    data = QUERY[:2] + (1 << bit).to_bytes(2, "big") + QUERY[4:]
    assert pack(unpack(data)) == data


def test_failures_keep_the_question() -> None:
    answer = dns.message.from_wire(pack(unpack(QUERY).fail(model.ResponseCode.NXDOMAIN)))
    assert answer.rcode() == 3
    assert answer.question[0].to_text() == "example.com. IN A"


def test_names_are_compressed_and_keep_their_case() -> None:
    owners = ["www.Example.COM", "www.Example.COM", "mail.Example.COM", "www.example.com"]
    answers = [ResourceRecord.A(name, IPv4Address("192.0.2.1")) for name in owners]
    data = pack(DNSMessage(0.0, 1, False, answers=answers))
    assert [record.name for record in unpack(data).answers] == owners
    assert [
        rr.name.to_text(True) for rr in dns.message.from_wire(data, one_rr_per_rrset=True).answer
    ] == owners
    assert data.count(b"Example") == 1


def test_edns_is_a_record_like_others() -> None:
    query = unpack(dns.message.make_query("example.com", "A", use_edns=0, payload=1232).to_wire())
    assert query.additionals[0].type == RecordType.OPT
    assert payload_limit(query) == 1232
    assert payload_limit(unpack(QUERY)) == PLAIN_SIZE


def test_a_truncated_answer_says_so_and_keeps_the_question() -> None:
    short = truncated(unpack(foreign(ZONE).to_wire()))
    assert (short.truncation, short.answers, len(short.questions)) == (True, [], 1)
    assert dns.message.from_wire(pack(short)).question


BROKEN = {
    "nothing": b"",
    "half a header": QUERY[:6],
    "half a question": QUERY[:-1],
    "more than it says": QUERY + b"\0",
    "fewer answers than it says": QUERY[:6] + b"\0\1" + QUERY[8:],
    "a name that points at itself": QUERY[:12] + b"\xc0\x0c" + QUERY[-4:],
    "a name that points ahead": QUERY[:12] + b"\xc0\xff" + QUERY[-4:],
    "a label of a kind nobody has": QUERY[:12] + b"\x80" + QUERY[13:],
    "data that is cut": QUERY[:6] + b"\0\1" + QUERY[8:] + b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\1",
    "a record whose name leaves it": QUERY[:6] + b"\0\1" + QUERY[8:] + b"\xc0\x0c\0\5\0\1\0\0\0\1\0\2\3abc\0",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_malformed_messages_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"malformed DNS message: ."):
        unpack(data)


UNSAYABLE = {
    "a label too long": [Question("a" * 64)],
    "an empty label": [Question("a..b")],
    "a name too long": [Question(".".join(["a" * 60] * 5))],
    "a type too large": [Question("a", 65536)],
}


@pytest.mark.parametrize("questions", UNSAYABLE.values(), ids=UNSAYABLE.keys())
def test_what_cannot_be_said_is_named(questions: list[Question]) -> None:
    with pytest.raises(LocalProtocolError, match=r"cannot be sent: ."):
        pack(DNSMessage(0.0, 1, True, questions=questions))


def test_more_than_fits_into_any_message() -> None:
    big = [ResourceRecord("a", 65280, 1, 0, bytes(60_000))] * 2
    with pytest.raises(LocalProtocolError, match="65535 at most"):
        pack(DNSMessage(0.0, 1, False, answers=big))
    with pytest.raises(LocalProtocolError, match="4 bits"):
        pack(DNSMessage(0.0, 1, False, response_code=23))


def test_questions_are_compared_without_case() -> None:
    assert same_question([Question("Example.COM")], [Question("example.com")])
    assert not same_question([Question("example.com")], [Question("example.com", RecordType.AAAA)])
    assert not same_question([Question("example.com")], [])


labels = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=".\\"), min_size=1)
names = st.lists(labels.filter(lambda label: len(label) < 30), min_size=1, max_size=6).map(".".join)
numbers = st.integers(0, 0xFFFF)
records = st.builds(
    ResourceRecord,
    names,
    st.sampled_from([1, 16, 28, 65, 257, 65280]),
    numbers,
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=99),
)
messages = st.builds(
    DNSMessage,
    timestamp=st.just(0.0),
    id=numbers,
    query=st.booleans(),
    op_code=st.integers(0, 15),
    truncation=st.booleans(),
    reserved=st.integers(0, 7),
    response_code=st.integers(0, 15),
    questions=st.lists(st.builds(Question, names, numbers, numbers), max_size=2),
    answers=st.lists(records, max_size=3),
    authorities=st.lists(records, max_size=2),
    additionals=st.lists(records, max_size=2),
)


@given(messages)
@example(DNSMessage(0.0, 1, True, questions=[Question("@"), Question("H"), Question("h")]))
def test_any_message_survives(message: DNSMessage) -> None:
    again = unpack(pack(message))
    assert _without_time(again) == _without_time(message)


def _without_time(message: DNSMessage) -> str:
    """Dnspython writes some characters of names with a backslash; both forms mean the same name."""
    return str({**message.get_state(), "timestamp": None}).replace("\\", "")


@given(st.one_of(st.binary(max_size=80), st.binary(max_size=60).map(lambda tail: QUERY[:12] + tail)))
def test_arbitrary_bytes_raise_only_protocol_errors(data: bytes) -> None:
    try:
        message = unpack(data)
    except ProtocolError:
        return
    unpack(pack(message))


@given(st.lists(st.binary(max_size=40), max_size=5), st.lists(st.integers(0, 220)))
def test_frames_do_not_depend_on_how_the_stream_is_cut(payloads: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frame(payload) for payload in payloads)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    frames = Frames()
    got = [m for a, b in pairwise(edges) for m in frames.receive(stream[a:b])]
    assert got == payloads


def test_dnspython_is_imported_only_where_dns_is_spoken() -> None:
    code = "import sys, proxyfw.proxy, proxyfw.dns, proxyfw.testing; print('dns' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
