"""Every operator on every kind of flow (5.6.115): what it means, and that what is missing raises nothing."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from proxyfw import flow as flows
from proxyfw import flowfilter
from proxyfw.dns import DNSFlow, DNSMessage, Question, ResourceRecord
from proxyfw.exceptions import OptionsError
from proxyfw.flow import Error, Flow
from proxyfw.flowfilter import OPERATORS, parse
from proxyfw.http import Headers, HTTPFlow, Request, Response
from proxyfw.model import encoding
from proxyfw.tcp import TCPFlow
from proxyfw.testing import (
    addon_test_context,
    client_connection,
    http_flow,
    server_connection,
    tcp_flow,
    websocket_flow,
)
from proxyfw.udp import UDPFlow, UDPMessage

NOW = 1_700_000_000.0
DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "clock", lambda: NOW)


def posted() -> HTTPFlow:
    """POST of JSON, answered 404 with HTML after 250 ms."""
    request = Request.make(
        "POST", "http://192.0.2.1:8080/users?id=1", b'{"user": {"id": 3}}',
        {"Content-Type": "application/json", "X-Twice": "1"},
    )  # fmt: skip
    request.headers["Host"] = "api.example:8080"
    request.headers.add("X-Twice", "2")
    response = Response.make(404, "<p>Grüße</p>", {"Content-Type": "text/html; charset=latin-1"})
    response.timestamp_end = NOW + 0.25
    return http_flow(request, response)


def image() -> HTTPFlow:
    response = Response.make(
        200, b"\x89PNG\0" * 3000, {"Content-Type": "image/png", "Content-Encoding": "gzip"}
    )
    response.version_bytes = b"HTTP/2.0"
    return http_flow("https://cdn.example/a.png", response, marked=":star:", comment="look here")


def failed() -> HTTPFlow:
    flow = http_flow("http://gone.example/", error="cannot resolve", is_replay="request")
    flow.error = Error("cannot resolve", NOW + 3)
    flow.metadata["rule"] = "block"
    flow.metadata["number"] = 7
    return flow


def dns_flow(answered: bool = True) -> DNSFlow:
    flow = DNSFlow(client_connection(), server_connection(("192.0.2.53", 53)))
    flow.request = DNSMessage(NOW, 1, True, questions=[Question("name.example"), Question("other.example")])
    if answered:
        flow.response = flow.request.succeed([ResourceRecord.A("name.example", IPv4Address("198.51.100.7"))])
        flow.response.timestamp = NOW + 0.01
    return flow


def udp_flow() -> UDPFlow:
    flow = UDPFlow(client_connection(), server_connection(("192.0.2.9", 123)))
    flow.messages = [UDPMessage(True, b"ping", NOW), UDPMessage(False, b"PONG", NOW + 1)]
    return flow


KINDS: dict[str, Callable[[], Flow]] = {
    "posted": posted,
    "image": image,
    "failed": failed,
    "asked": lambda: http_flow("http://asked.example/", None),
    "socket": lambda: websocket_flow((True, '{"type": "hello"}'), (False, b"\0\xffbinary")),
    "tcp": lambda: tcp_flow((True, b"EHLO me"), (False, b"250 ok")),
    "udp": udp_flow,
    "dns": dns_flow,
    "query": lambda: dns_flow(False),
}
HTTP = "posted image failed asked socket"
EVERYTHING = " ".join(KINDS)

MEANINGS = [
    # URL, host, method
    ("~u users", "posted"), ("users", "posted"), ("~u api.example:8080/users", "posted"),
    ("~u 192.0.2", ""), ("~u ^https:", "image"), ("~u NAME.example", "dns query"), ("~u other.example", ""),
    ("~u '(?-i:NAME)'", ""), ("~u .", HTTP + " dns query"),
    ("~d api", "posted"), ("~d ^192.0.2.1$", "posted"), ("~d example$", "posted image failed asked"),
    ("~m post", "posted"), ("~m ^GET$", "image failed asked socket"),
    # Status
    ("~c 404", "posted"), ("~c 4xx", "posted"), ("~c 400-499", "posted"), ("~c 200,404", "posted image"),
    ("~c >=200", "posted image"), ("~c <200", "socket"), ("~c 1xx-2xx", "image socket"), ("~c 500", ""),
    # Headers
    ("~h 'host: api'", "posted"), ("~h '^x-twice: 2$'", "posted"), ("~hq '^content-type: .*json$'", "posted"),
    ("~hs json", ""), ("~hs 'image/png'", "image"), ("~hq image", ""), ("~h ü", ""),
    ("~t json", "posted"), ("~tq json", "posted"), ("~ts json", ""), ("~ts html", "posted"), ("~a", "image"),
    # Bodies
    ("~b user", "posted"), ("~bq user", "posted"), ("~bs user", ""), ("~b '<P>.*</p>'", "posted"),
    ("~b Grüße", "posted"), (r"~b gr\u00fc\u00dfe", "posted"), ("~bs GRÜSSE|GRÜßE", "posted"),
    (r"~b \x89png", "image"), ("~b hello", "socket"), ("~bs hello", ""), ("~bs binary", "socket"),
    ("~b ehlo", "tcp"), ("~bs ehlo", ""), ("~bs '250 ok'", "tcp"), ("~bq pong", ""), ("~bs pong", "udp"),
    ("~b 198.51.100.7", "dns"), ("~bs 'name.example A 198'", "dns"), ("~bq '^name.example A'", "dns query"),
    ("~b 'other.example'", "dns query"), ("~bs ü", "posted"), ("~b 'other.example|ü'", "posted dns query"),
    # JSON
    ("~json $.user.id", "posted"), ("~json '$.user.id = 3'", "posted"), ("~jsonq $..id", "posted"),
    ("~jsons $", ""), ("~json '$.type = hello'", "socket"), ("~jsonq $.type", "socket"),
    # State and kind
    ("~q", "failed asked query"), ("~s", "posted image socket dns"), ("~e", "failed"),
    ("~http", HTTP), ("~websocket", "socket"), ("~tcp", "tcp"), ("~udp", "udp"), ("~dns", "dns query"),
    ("~version 1", HTTP), ("~version 2", "image"), ("~version HTTP/1.1,3", HTTP), ("~version 1.0", ""),
    # Sizes, times, addresses
    ("~sizeq 19", "posted"), ("~sizes 12", "posted"), ("~size 31", "posted"), ("~size 13", "tcp"),
    ("~sizeq 7", "tcp"), ("~sizes 6", "tcp"), ("~size 8", "udp"), ("~sizeq >10,4", "posted socket udp"),
    ("~sizes 8", "socket"), ("~size 4b", "dns"), ("~size 0", "failed asked query"),
    ("~size <1k", EVERYTHING), ("~size >1k", ""),
    ("~dur >200ms", "posted failed udp"), ("~dur <1m", "posted image failed tcp udp dns"),
    ("~dur 5ms-250ms", "posted dns"), ("~dur >=3s", "failed"),
    ("~age <5m", EVERYTHING), ("~age >0s", ""),
    ("~src 127.0.0.1:50000", EVERYTHING), ("~src 192", ""), ("~dst :53$", "dns query"),
    ("~dst ^cdn.example:443$", "image"), ("~dst ^192.0.2.1:443", "image"),
    ("~port 8080", "posted"),
    ("~port 1-123", "failed asked socket tcp udp dns query"), ("~port 443", "image"),
    # Marks
    ("~replay", "failed"), ("~replayq", "failed"), ("~replays", ""), ("~marked", "image"),
    ("~marker star", "image"), ("~marker .*", "image"), ("~comment HERE", "image"), ("~comment .*", "image"),
    ("~meta '^rule: block$'", "failed"), ("~meta 'number: 7'", "failed"), ("~meta .*", "failed"),
    ("~all", EVERYTHING), ("!~all", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "meant"), MEANINGS)
def test_meaning(text: str, meant: str) -> None:
    wanted = parse(text)
    assert " ".join(name for name, make in KINDS.items() if wanted(make())) == meant


def test_every_operator_has_a_meaning_here() -> None:
    shown = {text.lstrip("!").split()[0] for text, _ in MEANINGS}
    assert {operator.name for operator in OPERATORS} <= shown


# Flows that lack parts


class Strange:
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Gopher(Flow):
    type = "filtered-gopher"


def nowhere(flow: Flow) -> Flow:
    flow.client_conn.peername = flow.server_conn.address = flow.server_conn.peername = None
    return flow


def broken() -> HTTPFlow:
    """Bodies that are not what they claim to be, header fields and a URL that are no text."""
    flow = posted()
    assert flow.response
    flow.request.path_bytes = b"/\xff"
    flow.request.headers = Headers(
        [(b"\xfe", b"\xff"), (b"Host", b"[::"), (b"Content-Encoding", b"gzip, nonsense")]
    )
    flow.request.raw_content = b"{" * 100_000
    flow.response.headers = Headers(
        [(b"Content-Type", b"text/html; charset=nonsense"), (b"Content-Length", b"x")]
    )
    flow.response.raw_content = b"[" * 100_000
    flow.response.truncated = True
    flow.metadata[1] = Strange()  # type: ignore[index]  # whatever addons do
    return flow


def unknown_records() -> DNSFlow:
    flow = dns_flow()
    assert flow.response
    flow.response.questions = []
    flow.response.answers = [
        ResourceRecord("\ud800", 4711, 1, 1, b"\0"),
        ResourceRecord("", 16, 1, 1, b"\xff"),
    ]
    return flow


def streamed() -> HTTPFlow:
    flow = posted()
    flow.request.raw_content = None
    return flow


LACKING: dict[str, Callable[[], Flow]] = {
    **KINDS,
    "no request": lambda: HTTPFlow(client_connection(), server_connection()),
    "no query": lambda: DNSFlow(client_connection(), server_connection()),
    "no name": lambda: dns_of(DNSMessage(NOW, 1, True)),
    "silent": lambda: TCPFlow(client_connection(), server_connection()),
    "gopher": lambda: Gopher(client_connection(), server_connection()),
    "nowhere": lambda: nowhere(tcp_flow()),
    "nowhere, HTTP": lambda: nowhere(posted()),
    "broken": broken,
    "streamed": streamed,
    "unknown records": unknown_records,
}
ARGUMENTS = {
    "": [""], "regex": ["x", "ü", ".*", r"\u00fc"], "status": ["404", ">=100"], "size": [">0", "<1g"],
    "time": [">1s", "<=100d"], "port": ["1-65535"], "version": ["1,2,3"], "path": ["$..*", "'$..* ~ .'"],
}  # fmt: skip


def dns_of(query: DNSMessage) -> DNSFlow:
    flow = dns_flow(False)
    flow.request = query
    return flow


@pytest.mark.parametrize("operator", OPERATORS, ids=str)
@pytest.mark.parametrize("kind", LACKING)
def test_no_operator_raises_on_any_flow(operator: Any, kind: str) -> None:
    for argument in ARGUMENTS[operator.argument]:
        wanted = parse(f"{operator.name} {argument}")
        answer = wanted(LACKING[kind]())
        assert answer is wanted(LACKING[kind]())
        assert parse(f"!{operator.name} {argument}")(LACKING[kind]()) is not answer


def test_a_body_of_unknown_length_has_no_size() -> None:
    assert not parse("~size >=0 | ~sizeq >=0")(streamed().__class__.from_state(lengthless().get_state()))
    assert parse("~sizes 12")(lengthless())


def lengthless() -> HTTPFlow:
    flow = streamed()
    flow.request.headers.pop("content-length")
    return flow


def test_the_size_of_a_body_that_was_not_kept_is_that_which_was_sent() -> None:
    flow = streamed()
    flow.request.headers["content-length"] = "1048576"
    assert parse("~sizeq 1m & ~size 1048588")(flow)
    flow = posted()
    flow.request.truncated = True
    flow.request.headers["content-length"] = "5368709120"
    assert parse("~sizeq 5g")(flow)


def test_bytes_of_streams_count_though_messages_were_not_kept() -> None:
    flow = tcp_flow((True, b"kept"))
    flow.bytes_from_client, flow.bytes_from_server = 5000, 3000
    assert parse("~sizeq 5000 & ~sizes 3000 & ~size 8000")(flow)


def test_a_websocket_lasts_until_it_is_closed() -> None:
    flow = websocket_flow((True, "x"))
    assert flow.websocket
    assert not parse("~dur >=0s")(flow)
    flow.websocket.timestamp_end = NOW + 60
    assert parse("~dur 1m-2m")(flow)


def test_age_is_that_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    flow, young = posted(), parse("~age <5m")
    monkeypatch.setattr(flows, "clock", lambda: NOW + 299)
    assert young(flow)
    monkeypatch.setattr(flows, "clock", lambda: NOW + 300)
    assert not young(flow)


# Bodies


def test_compressed_bodies_are_searched_decoded() -> None:
    flow = http_flow(response=Response.make(200, b"in clear", {"Content-Encoding": "gzip"}))
    assert parse("~b 'in clear'")(flow)


def test_a_body_is_decoded_once_an_evaluation_if_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []
    decode = encoding.decode

    def watched(data: bytes, coding: str, **kinds: bool) -> bytes:
        decoded.append(data)
        return decode(data, coding, **kinds)

    monkeypatch.setattr(encoding, "decode", watched)
    coded = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    flow = http_flow(
        Request.make("POST", "http://x.example/", b'{"a": 1}', coded), Response.make(200, b'{"b": 2}', coded)
    )
    decoded.clear()
    wanted = parse("~bq x | ~bs x | ~b x | ~json $.x | ~jsons $.x | ~json $.y | !(~b y) & ~bs z | ~b z.z")
    assert not wanted(flow)
    assert len(decoded) == 2
    assert not parse("~m GET & ~b a | ~c 404 & ~b a | ~size >1g")(flow)
    assert len(decoded) == 2


def test_literals_and_expressions_find_the_same() -> None:
    flow = http_flow(response=Response.make(200, b"Some TEXT\nand more\x89"))
    for literal, expression in (("text", "t[e]xt"), ("some text", "some.text"), ("more\n", "more[\n]")):
        assert parse(f'~b "{literal}"')(flow) == parse(f'~b "{expression}"')(flow)
    assert parse(r"~b text.and")(flow)
    assert parse(r"~b \x89$")(flow)


# JSON

DOCUMENT = {
    "user": {"id": 3, "name": "Ada", "admin": True, "score": 1.5, "boss": None, "first name": "A", "a'b": 0},
    "items": [{"price": 5}, {"price": 12, "tags": ["new"]}],
    "when": "2026-11-20",
}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("$", True), ("$.user", True), ("$.nobody", False), ("$.user.id", True), ("$.user.boss", True),
        ("$['user']['first name']", True), ('$["user"].id', True), ('$.user["a\'b"]', True),
        ("$.user[id]", None), ("$.items[0].price", True), ("$.items[2]", False), ("$.items[-1].tags", True),
        ("$.items[-3]", False), ("$.items[ 1 ].tags[0]", True), ("$.user[0]", False),
        ("$.items.price", False),
        ("$.items[*].tags", True), ("$.*.id", True), ("$..tags", True), ("$..nothing", False),
        ("$..[0]", True),
        ("$.user.id.x", False), ("$[99999999999999999999999]", False),
        ("$.user.id = 3", True), ("$.user.id=3", True), ("$.user.id == 3.0", True), ("$.user.id = 4", False),
        ('$.user.id = "3"', False), ("$.user.name = Ada", True), ('$.user.name = "Ada"', True),
        ("$.user.name = 'Ada'", True), ("$.user.name = ada", False), ("$.user.name ~ ^ada$", True),
        ("$.user.admin = true", True), ("$.user.admin = 1", False), ("$.user.id = true", False),
        ("$.user.boss = null", True), ("$.user.score > 1", True), ("$.user.score >= 1.5", True),
        ("$.user.score < 1.5", False), ("$.user.score <= 2e0", True), ("$.user.admin > 0", False),
        ("$.user.name > 1", False), ("$.when >= 2026-11-01", True), ("$.when < 2026-11-01", False),
        ("$.user.id != 3", False), ("$.user.name != Bob", True), ("$.nobody != 3", False),
        ("$.items[*].price > 10", True), ("$.items[*].price > 12", False), ("$..price = 5", True),
        ("$.user.score ~ ^1", True), ("$.user.boss ~ null", True), ("$.user ~ .", False),
        ("$.items[*] = 1", False), ("$.user.id > 3x", False),
    ],
)  # fmt: skip
def test_json(condition: str, holds: bool | None) -> None:
    flow = http_flow(response=Response.make(200, json.dumps(DOCUMENT)))
    quoted = condition.replace("\\", "\\\\").replace('"', '\\"')
    if holds is None:
        with pytest.raises(ValueError, match="a path goes on with"):
            parse(f'~json "{quoted}"')
    else:
        assert parse(f'~json "{quoted}"')(flow) is holds


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe\xfa", b"[" * 100_000, b"9" * 5000, b"<html>"])
def test_what_is_no_json_has_nothing(body: bytes) -> None:
    assert not parse("~json $")(http_flow(response=Response.make(200, body)))


def test_json_in_other_encodings_and_compressed() -> None:
    for body in (json.dumps(DOCUMENT).encode("utf-16"), b"\xef\xbb\xbf" + json.dumps(DOCUMENT).encode()):
        response = Response.make(200, b"", {"Content-Encoding": "gzip"})
        response.raw_content = gzip.compress(body)
        assert parse("~jsons '$.user.name = Ada'")(http_flow(response=response))


# The table


def test_operators_are_data() -> None:
    names = [operator.name for operator in OPERATORS]
    assert len(set(names)) == len(names)
    for operator in OPERATORS:
        assert re.fullmatch(r"~[a-z]+", operator.name)
        assert operator.argument in ARGUMENTS
        assert ("{}" in operator.english) == bool(operator.argument)
        assert operator.description
        argument = ARGUMENTS[operator.argument][0]
        negated = parse(f"!{operator.name} {argument}").describe()
        assert not negated.startswith("not"), "say it with matches, is or has"
    assert str(OPERATORS[0]) == "~u regex"


def test_the_reference_page_has_all_of_it() -> None:
    page = (DOCS / "reference" / "filters.md").read_text(encoding="utf-8")
    assert all(f"| `{operator}` |" in page for operator in OPERATORS)
    assert all(f"**{argument}**" in page for argument in flowfilter.ARGUMENTS)
    assert set(ARGUMENTS) - {""} == set(flowfilter.ARGUMENTS)


HOW_TO = (DOCS / "howto" / "filters.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", re.findall(r"^proxyfw '([^']+)'$", HOW_TO, re.MULTILINE))
def test_the_commands_of_the_how_to(text: str) -> None:
    assert parse(text)


async def test_the_addon_of_the_how_to() -> None:
    addon = ModuleType("greet")
    exec(HOW_TO.split("```python\n")[1].split("```")[0], vars(addon))
    with addon_test_context(addon) as context:
        for url, greeting in (("http://example.com/", "hello"), ("http://other.example/", None)):
            flow = http_flow(url)
            await context.cycle(flow)
            assert flow.response
            assert flow.response.headers.get("x-greeting") == greeting
        with pytest.raises(OptionsError, match="option greet: unknown operator ~x"):
            context.configure(greet="~x")
