"""Filters say the same of rows as of flows; records make equal flows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxyfw import flowfilter
from proxyfw.dns import DNSFlow, DNSMessage, Question
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow, Request, Response
from proxyfw.testing import client_connection, http_flow, server_connection, tcp_flow, websocket_flow
from proxyfw.udp import UDPFlow, UDPMessage
from proxyfw_addons.storage.batch import Batches
from proxyfw_addons.storage.database import opened
from proxyfw_addons.storage.library import Library
from proxyfw_addons.storage.record import recorded


def some_flows() -> list[Flow]:
    client, server = client_connection(), server_connection(("far.test", 8080))
    query = DNSFlow(client, server)
    query.request = DNSMessage(1.0, 7, True, questions=[Question("name.test", 1, 1)])
    datagrams = UDPFlow(client, server)
    datagrams.messages.append(UDPMessage(True, b"ping", 1_700_000_000.0))
    zipped = Response.make(200, b'{"word": "needle"}', {"content-type": "application/json"})
    zipped.encode("gzip")
    style = Response.make(404, b"", {"content-type": "text/css"})
    posted = Request.make("POST", "https://api.test/v1", b'{"a": 1}')
    odd = Request.make("GET", "http://x.test/", headers=((b"X-Odd", b"\xff\xfe"), (b"x-odd", b"a\nb")))
    odd.host = "10.0.0.1"
    odd.headers["host"] = "named.test"
    slow = http_flow("https://slow.test/k/s")
    assert slow.response
    slow.response.timestamp_end = slow.request.timestamp_start + 7
    edited = http_flow("http://example.com/edited", metadata={"key": "value", "big": 1 << 70})
    edited.backup()
    edited.request.method = "PUT"
    return [
        http_flow(), http_flow("http://example.com/a.css", style),
        http_flow(posted, zipped, marked="red", comment="hm"),
        http_flow(odd, None), http_flow("http://failed.test/", error="no way"), slow, edited,
        websocket_flow((True, "hello"), (False, b"\x00\x01"), is_replay="request"),
        tcp_flow((True, b"GET"), (False, b"x" * 3000)), datagrams, query,
        http_flow("http://big.test/%25_", Response.make(200, bytes(5000)), is_replay="response"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    made = opened(str(tmp_path_factory.mktemp("search") / "x.db"))
    flows = some_flows()
    Batches(made).write([recorded(flow) for flow in flows])
    library = Library(made)
    yield library
    library.close()


EXAMPLES = (
    "~u example", "~u EX.MPLE", "~u %25_", "~u named", "~u name", "~u k/s", "~d example", "~d 10.0",
    "~d named", "~d '^slow'", "~m POST", "~m 'P(U|O)'", "~c 404", "~c 4xx,200", "~c >=300", "~t css",
    "~t 'json$'", "~tq json", "~ts json", "~a", "~q", "~s", "~e", "~http", "~websocket", "~tcp", "~udp",
    "~dns", "~size >1k", "~size 0", "~sizeq >0", "~sizes <1k", "~dur >5s", "~dur <5s", "~age <1h",
    "~age >1h", "~src 127", "~src ':50000$'", "~dst 8080", "~dst 192.0", "~port 443", "~port 80,8080",
    "~replay", "~replayq", "~replays", "~marked", "~marker red", "~comment h", "~meta value", "~all",
    "~h odd", "~hq 'x-odd: a'", "~hs gzip", "~b needle", "~bq a", "~bs x", "~json $.word", "~jsonq $.a",
    "~jsons $.a", "~version 1.1", "~version 2",
)  # fmt: skip


@pytest.mark.parametrize("text", EXAMPLES)
def test_a_filter_says_the_same_of_rows(text: str, library: Library) -> None:
    """Features 77: every operator, its contrary, and connections with what SQL cannot say."""
    flows = list(library.flows())
    for variant in (text, f"!({text})", f"({text}) & ~b e", f"({text}) | !~b e", f"!(({text}) | ~u e)"):
        wanted = flowfilter.parse(variant)
        found = [row["uid"] for row in library.rows(wanted=wanted, newest=False)]
        assert found == [flow.id for flow in flows if wanted(flow)], variant


def test_every_operator_has_an_example() -> None:
    assert {operator.name for operator in flowfilter.OPERATORS} == {text.split()[0] for text in EXAMPLES}


def test_what_is_stored_makes_equal_flows(tmp_path: Path) -> None:
    made = opened(str(tmp_path / "x.db"))
    flows = some_flows()
    Batches(made).write([recorded(flow) for flow in flows])
    for flow, again in zip(flows, Library(made).flows(), strict=True):
        if flow.metadata.pop("big", None):  # numbers beyond 64 bits are not kept
            flow.metadata.clear()
        before, after = _listed(flow.get_state()), _listed(again.get_state())
        if before["backup"]:
            before["backup"]["metadata"] = {}
        assert after == before
    made.database.close()


def _listed(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_listed(each) for each in value]
    return {key: _listed(each) for key, each in value.items()} if isinstance(value, dict) else value


def test_words_are_found_in_urls_headers_and_decoded_bodies(library: Library) -> None:
    """Features 76."""

    def urls(*words: str) -> list[str]:
        found = [flow for flow in library.flows(words=words) if isinstance(flow, HTTPFlow)]
        return [flow.request.pretty_url for flow in found]

    assert urls("needle") == ["https://api.test/v1"]
    assert urls("NEEDL*") == ["https://api.test/v1"]
    assert urls("gzip") == ["https://api.test/v1"]
    assert urls("css", "text") == urls("text/css") == ["http://example.com/a.css"]
    assert urls("needl") == []
    assert urls('"', "*", ") OR (") == []
    assert len(library.rows(words=["hello"])) == 1
    assert len(library.rows(words=["name"], wanted=flowfilter.parse("~dns"))) == 1
