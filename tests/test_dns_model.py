"""DNS messages: records made by type, answers made from queries, plain state."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest

from proxyfw import flow as flows
from proxyfw.connection import Client, Server
from proxyfw.dns import (
    DNSFlow,
    DNSMessage,
    HTTPSRecord,
    OpCode,
    Question,
    RecordType,
    ResourceRecord,
    classes,
    op_codes,
    response_codes,
    types,
)


def a_query() -> DNSMessage:
    return DNSMessage(1.0, 42, True, questions=[Question("example.com", types.AAAA, classes.IN)])


def a_flow() -> DNSFlow:
    client = Client(peername=("192.0.2.1", 5353), sockname=("127.0.0.1", 53), timestamp_start=1.0)
    flow = DNSFlow(client, Server(address=("192.0.2.53", 53)))
    flow.request = a_query()
    return flow


def test_address_records() -> None:
    record = ResourceRecord.A("a.test", IPv4Address("192.0.2.1"), ttl=5)
    assert (record.type, record.class_, record.ttl, record.data) == (types.A, classes.IN, 5, b"\xc0\0\2\1")
    record.ipv4_address = IPv4Address("192.0.2.2")
    assert record.ipv4_address == IPv4Address("192.0.2.2")
    assert str(record) == "192.0.2.2"
    six = ResourceRecord.AAAA("a.test", IPv6Address("2001:db8::1"))
    six.ipv6_address = IPv6Address("2001:db8::2")
    assert str(six) == "2001:db8::2"
    assert six.ttl == 60


def test_name_records() -> None:
    record = ResourceRecord.CNAME("www.test", "a.test")
    assert record.domain_name == str(record) == "a.test"
    record.domain_name = "b.test"
    assert record.data == b"\x01b\x04test\0"
    assert ResourceRecord.PTR("1.2.0.192.in-addr.arpa", "a.test").type == types.PTR


def test_text_records() -> None:
    record = ResourceRecord.TXT("a.test", "v=spf1 -all")
    assert record.data == b"\x0bv=spf1 -all"
    record.text = "ü" * 200
    assert record.text == str(record) == "ü" * 200


def test_https_records() -> None:
    record = ResourceRecord.HTTPS("a.test", HTTPSRecord(1, "."))
    assert record.https_alpn is None
    assert record.https_ech is None
    record.https_alpn = [b"h3", b"h2"]
    record.https_ech = b"config"
    assert record.https_alpn == (b"h3", b"h2")
    assert record.https.params == {1: b"\x02h3\x02h2", 5: b"config"}
    record.https_alpn = None
    record.https_ech = None
    assert record.https == HTTPSRecord(1, "")


def test_data_of_another_form_is_a_value_error_and_shown_as_hex() -> None:
    record = ResourceRecord("a.test", types.A, classes.IN, 60, b"\1\2")
    with pytest.raises(ValueError, match="not permitted"):
        _ = record.ipv4_address
    assert str(record) == "0x0102"
    assert str(ResourceRecord("a.test", 999, 1, 60, b"\1\2")) == "0x0102"


def test_succeed_answers_the_query(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "clock", lambda: 2.0)
    query = a_query()
    record = ResourceRecord.AAAA("example.com", IPv6Address("::1"))
    answer = query.succeed([record])
    assert (answer.id, answer.query, answer.response_code) == (42, False, response_codes.NOERROR)
    assert answer.questions == query.questions
    assert answer.questions[0] is not query.questions[0]
    assert answer.answers == [record]
    assert answer.recursion_desired
    assert answer.recursion_available
    assert answer.timestamp == 2.0
    assert answer.size == 16


def test_fail_says_why() -> None:
    answer = a_query().fail(response_codes.NXDOMAIN)
    assert (answer.id, answer.response_code, answer.answers) == (42, response_codes.NXDOMAIN, [])
    assert not answer.recursion_available
    with pytest.raises(ValueError, match="use succeed"):
        a_query().fail(response_codes.NOERROR)


def test_question_is_the_only_one() -> None:
    query = a_query()
    assert query.question == Question("example.com", RecordType.AAAA, 1)
    assert str(query.question) == "example.com"
    query.questions.append(Question("b"))
    assert query.question is None


def test_json_has_names_for_numbers() -> None:
    answer = a_query().succeed([ResourceRecord("x", 1234, 1, 60, b"\0")])
    shown = answer.to_json()
    assert shown["questions"] == [{"name": "example.com", "type": "AAAA", "class": "IN"}]
    assert shown["answers"] == [
        {"name": "x", "type": "RecordType(1234)", "class": "IN", "ttl": 60, "data": "0x00"}
    ]
    assert (shown["op_code"], shown["response_code"]) == ("QUERY", "NOERROR")


def test_codes_are_found_by_name() -> None:
    assert types.from_str("https") is RecordType.HTTPS
    assert op_codes is OpCode
    with pytest.raises(ValueError, match="no RecordType is called 'nonsense'"):
        types.from_str("nonsense")


def test_state_round_trip() -> None:
    flow = a_flow()
    state = flow.get_state()
    assert state["response"] is None
    assert DNSFlow.from_state(state).get_state() == state
    flow.response = flow.request.succeed([ResourceRecord.TXT("a", "b")])
    flow.response.additionals.append(ResourceRecord.PTR("a", "b"))
    state = flow.get_state()
    again = DNSFlow.from_state(state)
    assert again.get_state() == state
    assert again.response == flow.response
    assert type(state["request"]["questions"][0][1]) is int


def test_copies_share_nothing() -> None:
    flow = a_flow()
    flow.response = flow.request.fail(2)
    twin = flow.copy()
    twin.request.questions[0].name = "other"
    assert flow.request.questions[0].name == "example.com"
    assert twin.response is not flow.response
    assert flow.timestamp_start == 1.0
    assert repr(flow).startswith("<DNSFlow Question(name='example.com'")
