"""The helpers that scripts import: each gives what it gives in mitmproxy."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest

from proxyfw.alias.addons import dumper, export
from proxyfw.alias.coretypes.serializable import Serializable
from proxyfw.alias.log import log_tier
from proxyfw.alias.net import check, encoding, server_spec, tls
from proxyfw.alias.net.http import cookies, headers, http1, multipart, status_codes, url
from proxyfw.alias.proxy import layers
from proxyfw.alias.proxy.mode_specs import DnsMode, ProxyMode, RegularMode, ReverseMode
from proxyfw.alias.test import tflow, tutils
from proxyfw.alias.utils import asyncio_utils, emoji, human, strutils
from proxyfw.exceptions import CommandError
from proxyfw.flow import Flow

NO_TEXT = tutils.treq(content=b"\xff", headers=((b"content-type", b"text/plain; charset=utf-8"),))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([human.pretty_size(n) for n in (0, 100, 1024, 10985760)], ["0b", "100b", "1.0k", "10.5m"]),
        ([human.parse_size(text) for text in ("5m", None, 7)], [5242880, None, 7]),
        (
            [human.pretty_duration(s) for s in (None, 0.00001, 0.0012, 0.123, 1.234, 12.3, 123.4)],
            ["", "0ms", "1ms", "123ms", "1.23s", "12.3s", "123s"],
        ),
        (
            [
                human.format_address(address)
                for address in (
                    ("127.0.0.1", 80),
                    ("::1", 80, 0, 0),
                    None,
                    ("::ffff:1.2.3.4", 80),
                    ("example.com", 3),
                    ("0.0.0.0", 3),
                    ("::", 3),
                )
            ],
            ["127.0.0.1:80", "[::1]:80", "<no address>", "1.2.3.4:80", "example.com:3", "*:3", "*:3"],
        ),
        (human.format_timestamp_with_milli(946681200.1234)[-4:], ".123"),
        (
            list(strutils.hexdump(bytes(range(60, 80)))),
            [
                ("0000000000", "3c 3d 3e 3f 40 41 42 43 44 45 46 47 48 49 4a 4b", "<=>?@ABCDEFGHIJK"),
                ("0000000010", "4c 4d 4e 4f                                    ", "LMNO"),
            ],
        ),
        (strutils.bytes_to_escaped_str(b"a\x00b\n'\"\xff"), "a\\x00b\\n'\"\\xff"),
        (strutils.bytes_to_escaped_str(b"a\nb'", keep_spacing=True, escape_single_quotes=True), "a\nb\\'"),
        (strutils.escaped_str_to_bytes(r"a\x00\n\'"), b"a\x00\n'"),
        (strutils.escape_control_characters("a\x00\nb\x1b"), "a.\nb."),
        ([strutils.is_mostly_bin(data) for data in (b"\0" * 10, b"text", b"")], [True, False, False]),
        ([strutils.is_xml(b" <x"), strutils.is_xml(b"x<")], [True, False]),
        (strutils.clean_hanging_newline("a\n"), "a"),
        ([strutils.always_str(v) for v in (b"a", "a", None)], ["a", "a", None]),
        ([strutils.always_bytes(v) for v in (b"a", "a", None)], [b"a", b"a", None]),
        ([emoji.emoji[":100:"], emoji.emoji[":party_popper:"], ":no:" in emoji.emoji], ["💯", "🎉", False]),
        (url.parse("http://u:p@h.com:81/a?b"), (b"http", b"h.com", 81, b"/a?b")),
        ([url.encode([("a", "b c")]), url.decode("a=b%20c")], ["a=b+c", [("a", "b c")]]),
        ([url.encode([("a", ""), ("b", "")], similar_to="x&y"), url.quote("a b/")], ["a&b", "a%20b/"]),
        (url.hostport("http", "h", 81) + url.unparse("http", "h", 81, "/x"), "h:81http://h:81/x"),
        (url.parse_authority("h:1", check=True), ("h", 1)),
        (url.parse_authority("a b", check=False), ("a b", None)),
        ([check.is_valid_host(h) for h in ("h", b"h", "::1", "a b")], [True, True, True, False]),
        ([check.is_valid_port(p) for p in (0, 65536)], [True, False]),
        (headers.parse_content_type("text/html; charset=utf-8"), ("text", "html", {"charset": "utf-8"})),
        (headers.parse_content_type("x"), None),
        (headers.assemble_content_type("text", "html", {"charset": "u"}), "text/html; charset=u"),
        (headers.infer_content_encoding("text/html; charset=gbk"), "gb18030"),
        (cookies.format_cookie_header([("a", "b"), ("c", "d")]), "a=b; c=d"),
        (cookies.group_cookies([("a", "b"), ("path", "/")])[0][2]["path"], "/"),
        (cookies.format_set_cookie_header(cookies.parse_set_cookie_header("a=b; Path=/")), "a=b; Path=/"),
        (
            [cookies.is_expired(c[2]) for c in cookies.parse_set_cookie_headers(["a=b; max-age=0", "a=b"])],
            [True, False],
        ),
        (multipart.decode("multipart/form-data; boundary=X", multipart.encode_multipart(
            "multipart/form-data; boundary=X", [(b"a", b"b")])), [(b"a", b"b")]),
        (multipart.encode({"content-type": "text/plain"}, [(b"a", b"b")]), b""),
        ([status_codes.NOT_FOUND, status_codes.RESPONSES[404]], [404, "Not Found"]),
        (server_spec.parse("h:1", "http"), ("http", ("h", 1))),
        (server_spec.parse("https://h", "http"), ("https", ("h", 443))),
        (encoding.decode(encoding.encode(b"x" * 9, "gzip"), "gzip"), b"x" * 9),
        ([encoding.encode("ä", "utf8"), encoding.decode(b"\xc3\xa4", "utf8")], [b"\xc3\xa4", "ä"]),
        ([encoding.decode(None, "gzip"), encoding.decode_gzip(encoding.encode_gzip(b"a"))], [None, b"a"]),
        ([tls.starts_like_tls_record(b"\x16\x03\x01"), tls.starts_like_tls_record(b"GET")], [True, False]),
        ([log_tier(level) for level in ("error", "debug", "x")], [0, 3, None]),
    ],
)  # fmt: skip
def test_a_helper(found: Any, expected: Any) -> None:
    assert found == expected


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: human.parse_size("x"), "Invalid size"),
        (lambda: strutils.always_str(7), "Expected str or bytes"),  # type: ignore[arg-type]
        (lambda: strutils.always_bytes(7), "Expected str or bytes"),  # type: ignore[arg-type]
        (lambda: strutils.escaped_str_to_bytes(b""), "data must be str"),  # type: ignore[arg-type]
        (lambda: encoding.decode(b"a", "no such"), "neither a content coding nor a charset"),
        (lambda: server_spec.parse("h", "tcp"), "Port specification missing"),
        (lambda: cookies.refresh_set_cookie_header(";", 1), "Invalid Cookie"),
        (lambda: http1.read_request_head([b"GET"]), "Bad HTTP request line"),
        (lambda: http1.read_response_head([b"HTTP/1.1 x"]), "Bad HTTP response line"),
        (lambda: http1.assemble_request(tutils.treq(content=None)), "content is missing"),
        (lambda: ProxyMode.parse("nothing"), "nothing"),
        (lambda: emoji.emoji["no such name"], "no such name"),
        (lambda: dumper.Dumper(io.StringIO()), "standard output only"),
        (lambda: export.raw_response(tflow.tflow()), "no response"),
        (lambda: export.raw(tflow.ttcpflow()), "no request"),
        (lambda: export.curl_command(tflow.tflow(req=NO_TEXT)), "valid unicode"),
    ],
)  # fmt: skip
def test_wrong_use(call: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, CommandError), match=message):
        call()


def test_messages_become_bytes_and_heads_are_read() -> None:
    request = tutils.treq()
    assert http1.assemble_request(request) == (
        b"GET /path HTTP/1.1\r\nheader: qvalue\r\ncontent-length: 7\r\n\r\ncontent"
    )
    response = tutils.tresp(headers=((b"transfer-encoding", b"chunked"),), trailers=((b"a", b"b"),))
    assert http1.assemble_response(response) == (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7\r\nmessage\r\n0\r\na: b\r\n\r\n"
    )
    assert http1.expected_http_body_size(request) == 7
    assert http1.expected_http_body_size(request, response) is None
    assert http1.expected_http_body_size(request, tutils.tresp(status_code=204)) == 0
    assert http1.expected_http_body_size(request, tutils.tresp(headers=())) == -1
    read = http1.read_request_head([b"GET http://h:81/x HTTP/1.1", b"Host: h", b""])
    assert (read.host, read.port, read.path, read.headers["host"]) == ("h", 81, "/x", "h")
    read = http1.read_request_head([b"CONNECT h:444 HTTP/1.1"])
    assert (read.method, read.host, read.port) == ("CONNECT", "h", 444)
    assert http1.read_request_head([b"GET /x HTTP/1.0"]).path == "/x"
    answer = http1.read_response_head([b"HTTP/1.1 404 Not Found", b"A: b"])
    assert (answer.status_code, answer.reason, answer.headers["a"]) == (404, "Not Found", "b")
    assert http1.connection_close(b"HTTP/1.0", answer.headers)
    assert not http1.connection_close(b"HTTP/1.1", answer.headers)


def test_a_request_becomes_a_command() -> None:
    flow = tflow.tflow(resp=True)
    flow.request.headers["accept-encoding"] = "gzip"
    flow.request.method = "POST"
    assert export.curl_command(flow) == (
        "curl -H 'header: qvalue' --compressed -X POST http://address:22/path -d content"
    )
    assert export.httpie_command(flow) == (
        "http POST http://address:22/path 'header: qvalue' 'accept-encoding: gzip' <<< content"
    )
    assert export.raw(flow).endswith(b"message")


@pytest.mark.parametrize(
    ("spec", "kind", "data", "host", "port"),
    [
        ("regular", RegularMode, "", None, None),
        ("reverse:http://x:81@0.0.0.0:90", ReverseMode, "http://x:81", "0.0.0.0", 90),
        ("dns@5353", DnsMode, "", None, 5353),
    ],
)
def test_a_mode_is_taken_apart(
    spec: str, kind: type[ProxyMode], data: str, host: str | None, port: int | None
) -> None:
    mode = ProxyMode.parse(spec)
    assert type(mode) is kind
    assert (mode.full_spec, mode.data) == (str(mode), data)
    assert (mode.custom_listen_host, mode.custom_listen_port) == (host or None, port)
    assert mode.listen_port(8080) == (port or 8080)
    assert mode.listen_host("h") == (host or "h")
    assert isinstance(spec, kind)
    assert isinstance(spec, ProxyMode)


def test_layers_are_names() -> None:
    assert layers.TCPLayer(None).value == "tcp"
    assert layers.TCPLayer(None, ignore=True).value == "ignored"
    assert layers.HttpLayer(None, layers.HTTPMode.regular).value == "http"
    assert isinstance("tls", layers.ClientTLSLayer)
    assert isinstance(layers.ClientTLSLayer(None), layers.TLSLayer)
    assert not isinstance("tls", layers.TCPLayer)
    assert repr(layers.DNSLayer(None)) == "DNSLayer()"


def test_what_has_a_state_is_serializable() -> None:
    assert issubclass(Flow, Serializable)
    assert not isinstance(3, Serializable)

    class Own(Serializable):
        def __init__(self, value: int) -> None:
            self.value = value

        @classmethod
        def from_state(cls, state: Any) -> Own:
            return cls(state)

        def get_state(self) -> Any:
            return self.value

        def set_state(self, state: Any) -> None:
            self.value = state

    assert Own(3).copy().value == 3


async def test_a_task_with_a_name_is_kept() -> None:
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    task = asyncio_utils.create_task(work(), name="mine")
    assert task.get_name() == "mine"
    await done.wait()
    await task
