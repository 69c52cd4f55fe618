"""The built-in views: what each makes of what it is for, and of what only pretends to be."""

from __future__ import annotations

import base64
import gzip
import io
import json
import struct
import sys
import zipfile
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Any

import dns.message
import msgpack  # type: ignore[import-untyped]
import pytest

from proxyfw import http
from proxyfw.contentviews import ContentviewRegistry, ContentviewResult, Metadata
from proxyfw.dns import DNSMessage, Question, ResourceRecord
from proxyfw.exceptions import OptionsError
from proxyfw.testing import addon_test_context, client_connection, http_flow, server_connection
from proxyfw.udp import UDPFlow, UDPMessage
from proxyfw_addons.contentviews import ContentViews
from proxyfw_addons.contentviews.table import VIEWS


@pytest.fixture
def views() -> Iterator[ContentviewRegistry]:
    with addon_test_context(ContentViews()) as context:
        yield context.addons.contentviews


def shown(views: ContentviewRegistry, body: bytes, kind: str = "", name: str = "auto") -> ContentviewResult:
    return views.prettify_message(http.Response.make(200, body, {"content-type": kind}), None, name)


# choosing

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x20\x08\x06\0\0\0\0\0\0\0"
CHOICES = [
    (b'{"a": 1}', "application/json", "json"),
    (b'{"a": 1}', "application/problem+json; charset=utf-8", "json"),
    (b'{"a": 1}', "", "json"),
    (b'{"a": 1}', "application/x-www-form-urlencoded", "json"),
    (b"[info] started", "text/plain", "raw"),
    (b"{{mustache}}", "text/plain", "raw"),
    (b"<html></html>", "text/html", "html"),
    (b"<!DOCTYPE html><p>", "", "html"),
    (b"<a/>", "application/atom+xml", "html"),
    (b"<svg/>", "image/svg+xml", "html"),
    (b"a{b:c}", "text/css", "css"),
    (b"x()", "text/javascript", "javascript"),
    (b"a=b", "application/x-www-form-urlencoded", "urlencoded"),
    (b"--x\r\n\r\n1\r\n--x--", "multipart/form-data; boundary=x", "multipart"),
    (PNG, "application/octet-stream", "image"),
    (b"RIFF\0\0\0\0WEBPVP8L", "image/webp", "raw"),
    (b"\x08\x01", "application/x-protobuf", "protobuf"),
    (b"\0\0\0\0\0", "application/grpc+proto", "grpc"),
    (b"\x80", "application/msgpack", "msgpack"),
    (b"PK\x03\x04", "", "raw"),
    (b"\x00\x01\x02", "", "hex"),
    ("grün".encode("utf-16"), "text/plain; charset=utf-16", "raw"),
    ("plain ä text".encode(), "", "raw"),
    (b"", "application/json", "raw"),
]


@pytest.mark.parametrize(("body", "kind", "name"), CHOICES)
def test_the_view_that_suits(views: ContentviewRegistry, body: bytes, kind: str, name: str) -> None:
    assert shown(views, body, kind).view_name == name


def test_a_view_is_imported_when_it_is_first_needed(views: ContentviewRegistry) -> None:
    place = "proxyfw_addons.contentviews."
    for view in VIEWS:
        sys.modules.pop(place + view.module, None)
    shown(views, b"a{}", "text/css")
    assert {view.module for view in VIEWS if place + view.module in sys.modules} == {"style"}


def test_all_views_are_there(views: ContentviewRegistry) -> None:
    assert views.available_views() == [
        "auto", "css", "dns", "graphql", "grpc", "hex", "html", "image", "javascript", "json", "msgpack",
        "multipart", "protobuf", "query", "raw", "socket.io", "urlencoded", "zip",
    ]  # fmt: skip


def test_a_body_that_cannot_be_decoded_is_not_of_its_type(views: ContentviewRegistry) -> None:
    response = http.Response.make(200, b"", {"content-type": "application/json"})
    response.headers["content-encoding"] = "br"
    response.raw_content = b"\xff\x00\x01"
    result = views.prettify_message(response)
    assert result.view_name == "hex"
    assert result.description.startswith("body is not valid br: ")


# text


def test_json_keeps_its_spelling(views: ContentviewRegistry) -> None:
    body = rb'{"b":[1.50,{},[]],"a":"\u00e9,:{","b":1e999}'
    assert shown(views, body, "application/json").text == (
        '{\n  "b": [\n    1.50,\n    {},\n    []\n  ],\n  "a": "\\u00e9,:{",\n  "b": 1e999\n}'
    )


@pytest.mark.parametrize(
    ("separator", "kind"), [("\n", "application/x-ndjson"), ("\x1e", "application/json-seq")]
)
def test_json_one_value_a_line(views: ContentviewRegistry, separator: str, kind: str) -> None:
    assert shown(views, f'{separator}1{separator}"a"{separator}'.encode(), kind).text == '1\n"a"'


def test_json_is_not_laid_out_much_further_than_wanted(views: ContentviewRegistry) -> None:
    body = json.dumps({"a": list(range(10_000)), "b": {}}).encode()
    whole = shown(views, body, "application/json").text
    part = views.prettify(body, Metadata(content_type="application/json", lines=50)).text
    assert whole.startswith(part)
    assert 50 < part.count("\n") < 300


@pytest.mark.parametrize("body", [b'{"a":', b"nope", b"[" * 100_000])
def test_what_is_no_json_is_shown_raw(views: ContentviewRegistry, body: bytes) -> None:
    result = shown(views, body, "application/json")
    assert (result.view_name, result.text) == ("raw", body.decode())
    assert result.description.startswith("json: ")


def test_markup_that_is_wrong_loses_nothing(views: ContentviewRegistry) -> None:
    body = b'<p>one<br>two</b><div\n class="a>b"><a href=x>link</a><script>if (a<b) {}</script>< 3'
    result = shown(views, body, "text/html")
    assert result.text.split("\n") == [
        "<p>", "  one", "  <br>", "  two", "  </b>", '  <div class="a>b">', "    <a href=x>link</a>",
        "    <script>if (a<b) {}</script>", "    <", "    3",
    ]  # fmt: skip
    assert "".join(result.text.split()) == "".join(body.decode().split())


def test_xml_keeps_comments_and_cdata(views: ContentviewRegistry) -> None:
    body = b'<?xml version="1.0"?><a><!-- <b> --><c><![CDATA[<x>]]></c></a>'
    assert shown(views, body, "text/xml").text.split("\n") == [
        '<?xml version="1.0"?>', "<a>", "  <!-- <b> -->", "  <c>", "    <![CDATA[<x>]]>", "  </c>", "</a>",
    ]  # fmt: skip


def test_style_sheets(views: ContentviewRegistry) -> None:
    body = b"a,b{color:red;background:url(data:x;y)}@media (x){.c{}.d{top:1px}}/* ; */"
    assert shown(views, body, "text/css").text.split("\n") == [
        "a,b{", "  color:red;", "  background:url(data:x;y)", "}", "@media (x){", "  .c{}", "  .d{",
        "    top:1px", "  }", "}", "/* ; */",
    ]  # fmt: skip


def test_javascript(views: ContentviewRegistry) -> None:
    body = b'function f(a){if(a){return a/2}else{for(;;){}}}var r=/;{"/g,s="};";// x;y\nf({a:1,b:2}).then(g)'
    assert shown(views, body, "text/javascript").text.split("\n") == [
        "function f(a){", "  if(a){", "    return a/2", "  } else{", "    for(;;){}", "  }", "}",
        'var r=/;{"/g,s="};";', "// x;y", "f({", "  a:1,", "  b:2", "}).then(g)",
    ]  # fmt: skip


def test_graphql(views: ContentviewRegistry) -> None:
    said = {"query": "query Q($a: Int = 1) { b(c: {d: $a}, e: [1, 2]) @x { f, g ...H ... on I { j: k } } }"}
    request = http.Request.make(
        "POST", "http://example.com/graphql", json.dumps(said | {"variables": {"a": 2}}),
        {"content-type": "application/json"},
    )  # fmt: skip
    result = views.prettify_message(request)
    assert result.view_name == "graphql"
    assert result.text.split("\n") == [
        "query Q($a: Int = 1) {", "  b(c: {d: $a}, e: [1, 2]) @x {", "    f", "    g", "    ...H",
        "    ... on I {", "      j: k", "    }", "  }", "}", "",
        "{", '  "variables": {', '    "a": 2', "  }", "}",
    ]  # fmt: skip
    assert shown(views, b"{\n a\n}", "application/graphql").text == "{\n a\n}"


# forms


def test_forms_and_queries(views: ContentviewRegistry) -> None:
    form = shown(views, b"a=1&name=J%C3%B6rg+K&e=&x=%ff%1b", "application/x-www-form-urlencoded")
    assert form.text.split("\n") == ["a:    1", "name: Jörg K", "e:", "x:    \\xff\\x1b"]
    query = views.prettify_message(http.Request.make("GET", "http://example.com/?q=a%20b"))
    assert (query.view_name, query.text) == ("query", "q: a b")


def test_multipart_shows_parts_in_their_views(views: ContentviewRegistry) -> None:
    body = (
        b'--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\nvalue\r\n'
        b'--XX\r\nContent-Type: application/json\r\n\r\n{"a":1}\r\n'
        b"--XX\r\nContent-Type: application/octet-stream\r\n\r\n\0\1\2\r\n--XX--\r\n"
    )
    assert shown(views, body, 'multipart/form-data; boundary="XX"').text.split("\n") == [
        'Content-Disposition: form-data; name="a"', "", "value", "", "--",
        "Content-Type: application/json", "", "{",
        '  "a": 1', "}", "", "--",
        "Content-Type: application/octet-stream", "", "(3 bytes)",
    ]  # fmt: skip
    bare = b"--X\n\none\n--X\nContent-Type: text/plain\n\ntwo\n--X--"
    assert shown(views, bare, "multipart/mixed").text == "one\n\n--\nContent-Type: text/plain\n\ntwo"
    many = b"".join(b"--X\r\n\r\n%d\r\n" % number for number in range(500))
    assert shown(views, many, "multipart/mixed; boundary=X").text.endswith("(and 300 more parts)")


# images


@pytest.mark.parametrize(
    ("body", "facts"),
    [
        (PNG + b"\0\0\0\x06tEXtBy\0Ada\0\0\0\0\0\0", ["PNG", "16 x 32 px", "RGBA, 8 bits", "Ada"]),
        (
            b"\xff\xd8\xff\xe0\0\4ab\xff\xc2\0\x0b\x08\0\x20\0\x10\3abc",
            ["JPEG", "16 x 32 px", "3 components, 8 bits", "progressive"],
        ),
        (
            b"GIF89a\x10\0\x20\0\x80\0\0" + bytes(6)
            + (b"!\xf9\4\0\0\0\0\0" + b"," + bytes(9) + b"\2\1a\0") * 2 + b";",
            ["GIF, version 89a", "16 x 32 px", "2 colours", "2"],
        ),
        (
            b"RIFF\0\0\0\0WEBPVP8X" + bytes(4) + b"\x12\0\0\0\x0f\0\0\x1f\0\0",
            ["WebP", "16 x 32 px", "alpha, animation"],
        ),
        (b"RIFF\0\0\0\0WEBPVP8 " + bytes(10) + b"\x10\0\x20\0", ["WebP", "16 x 32 px", "lossy"]),
        (b"BM" + bytes(16) + struct.pack("<iiHH", 16, -32, 1, 24), ["BMP", "16 x 32 px", "24 bits"]),
        (b"\0\0\1\0\1\0\x10\x20\0\0\1\0\x20\0" + bytes(8), ["ICO", "16 x 32 px, 32 bits"]),
        (b'<svg width="16" height=\'32\' viewBox="0 0 16 32">', ["SVG", "16", "32", "0 0 16 32"]),
    ],
    ids=["png", "jpeg", "gif", "webp", "webp-lossy", "bmp", "ico", "svg"],
)  # fmt: skip
def test_images_say_their_size(views: ContentviewRegistry, body: bytes, facts: list[str]) -> None:
    result = shown(views, body, name="image")
    assert result.description == ""
    assert [line.partition(":")[2].strip() for line in result.text.split("\n")] == facts


def test_an_image_that_breaks_off_says_so(views: ContentviewRegistry) -> None:
    assert shown(views, PNG[:20]).description == "image: the image breaks off in its head"


# binary formats

MESSAGE = bytes.fromhex("08 96 01 12 07 74 65 73 74 69 6e 67 1a 03 08 96 01 25 00 00 80 3f 3a 02 c3 28")


def test_protobuf_without_types(views: ContentviewRegistry) -> None:
    result = shown(
        views, MESSAGE + b"\x43\x08\x01\x44" + b"\x48" + b"\xff" * 9 + b"\x01", "application/x-protobuf"
    )
    assert result.text.split("\n") == [
        "1: 150", '2: "testing"', "3 {", "  1: 150", "}", "4: 1065353216 (float 1)", "7: 0xc328",
        "8 {", "  1: 1", "}", "9: 18446744073709551615 (-1)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body", [b"\x08", b"\x0a\x05a", b"\x00\x01", b"\x0f", b"\x0b", b"\x0c", b"\xff" * 12]
)
def test_what_is_no_protobuf(views: ContentviewRegistry, body: bytes) -> None:
    result = shown(views, body, "application/x-protobuf")
    assert result.view_name == "raw"
    assert result.description.startswith("protobuf: no protobuf message: ")


def frame(body: bytes, flags: int = 0) -> bytes:
    return struct.pack(">BI", flags, len(body)) + body


def call(body: bytes, kind: str = "application/grpc") -> http.HTTPFlow:
    flow = http_flow("http://example.com/greet.Greeter/Say", 200)
    assert flow.response
    flow.response.headers = http.Headers([(b"content-type", kind.encode())])
    flow.response.raw_content = body
    return flow


def test_grpc_messages(views: ContentviewRegistry) -> None:
    packed = gzip.compress(b"\x08\x05", mtime=0)
    flow = call(frame(b"\x08\x01") + frame(packed, 1) + frame(b"\xff") + frame(b"")[:5] + b"\0\0\0\0\x09a")
    assert flow.response
    assert views.prettify_message(flow.response, flow).text.split("\n") == [
        "service greet.Greeter, method Say", "", "message 1 (2 bytes)", "1: 1", "",
        f"message 2 ({len(packed)} bytes, gzip)", "1: 5", "", "message 3 (1 bytes)", "0xff",
        "(no protobuf message: the number before byte 1 does not end)", "", "message 4 (0 bytes)", "",
        "message 5 (9 bytes): it breaks off after 1 bytes",
    ]  # fmt: skip


def test_grpc_web(views: ContentviewRegistry) -> None:
    body = base64.b64encode(frame(b"\x08\x01") + frame(b"grpc-status: 0\r\n", 0x80))
    flow = call(body, "application/grpc-web-text+proto")
    assert flow.response
    assert views.prettify_message(flow.response, flow).text.endswith("1: 1\n\ntrailers\ngrpc-status: 0")


def test_grpc_bombs_are_not_unpacked(views: ContentviewRegistry) -> None:
    flow = call(frame(gzip.compress(bytes(64 * 1024**2)), 1))
    assert flow.response
    result = views.prettify_message(flow.response, flow)
    assert result.description == "grpc: the messages are more than 1048576 bytes once unpacked"


@pytest.fixture
def descriptors(tmp_path: Any) -> str:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

    file = FileDescriptorProto(name="greet.proto", package="greet", syntax="proto3")
    message = file.message_type.add(name="Hello")
    message.field.add(name="count", number=1, type=5, label=1)
    message.field.add(name="who", number=2, type=9, label=1)
    service = file.service.add(name="Greeter")
    service.method.add(name="Say", input_type=".greet.Hello", output_type=".greet.Hello")
    path = tmp_path / "greet.pb"
    path.write_bytes(FileDescriptorSet(file=[file]).SerializeToString())
    return str(path)


def test_protobuf_with_types(descriptors: str) -> None:
    with addon_test_context(ContentViews(), protobuf_descriptors=[descriptors]) as context:
        views = context.addons.contentviews
        flow = call(frame(b"\x08\x05\x12\x03Ada"))
        assert flow.response
        assert views.prettify_message(flow.response, flow).text.endswith(
            '# greet.Hello\ncount: 5\nwho: "Ada"'
        )
        kind = 'application/x-protobuf; messageType="greet.Hello"'
        assert shown(views, b"\x08\x05", kind).text == "# greet.Hello\ncount: 5"
        assert shown(views, b"\x08\x05", "application/x-protobuf").text == "1: 5"
        assert shown(views, b"\x12\x01\xff", kind).text == "2: 0xff"


def test_descriptors_that_are_none_are_refused(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tmp_path / "wrong.pb"
    wrong.write_bytes(b"\xff")
    with addon_test_context(ContentViews()) as context:
        with pytest.raises(OptionsError, match=r"is not a complete descriptor set .* --include_imports"):
            context.configure(protobuf_descriptors=[str(wrong)])
        with pytest.raises(OptionsError, match=r"cannot read .*nothing: No such file"):
            context.configure(protobuf_descriptors=[str(tmp_path / "nothing")])
        monkeypatch.setitem(sys.modules, "google.protobuf.descriptor_pb2", None)
        with pytest.raises(OptionsError, match=r"pip install 'proxyfw\[protobuf\]'"):
            context.configure(protobuf_descriptors=[str(wrong)])
        assert context.options.protobuf_descriptors == []


def test_message_pack(views: ContentviewRegistry) -> None:
    body = msgpack.packb({"a": [1, None, True, b"x"], b"k": {}, 3: msgpack.ExtType(5, b"ab")}) + b"\xc0"
    assert shown(views, body, "application/msgpack").text.split("\n") == [
        "{", '  "a": [', "    1", "    null", "    true", "    0x78", "  ]",
        "  0x6b: {}", "  3: ext 5 0x6162", "}", "null",
    ]  # fmt: skip
    assert shown(views, b"\x92\x01", "application/msgpack").description == (
        "msgpack: the value that begins at byte 0 breaks off"
    )


def test_dns_over_https_and_on_its_own(views: ContentviewRegistry) -> None:
    query = dns.message.make_query("example.com", "A")
    assert "example.com. IN A" in shown(views, query.to_wire(), "application/dns-message").text
    assert shown(views, b"\0", "application/dns-message").description.startswith("dns: no DNS message")
    answer = DNSMessage(0, 7, True, questions=[Question("example.com")]).succeed(
        [ResourceRecord.A("example.com", IPv4Address("192.0.2.1"))]
    )
    assert views.prettify_message(answer).text.split("\n") == [
        "id 7", "opcode QUERY", "rcode NOERROR", "flags QR RD RA", ";QUESTION", "example.com IN A",
        ";ANSWER", "example.com 60 IN A 192.0.2.1", ";AUTHORITY", ";ADDITIONAL",
    ]  # fmt: skip


def test_datagrams_to_a_name_server_are_dns(views: ContentviewRegistry) -> None:
    said = UDPMessage(True, dns.message.make_query("example.com", "A").to_wire())
    for port, name in ((53, "dns"), (54, "hex")):
        flow = UDPFlow(client_connection(), server_connection(("192.0.2.1", port)))
        assert views.prettify_message(said, flow).view_name == name


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("3probe", ["pong probe"]),
        ('42/chat,7["hi",1]', ["event /chat #7 [", '  "hi",', "  1", "]"]),
        ('451-["x",{"_placeholder":true,"num":0}]', ["binary_event (1 attachments) [", '  "x",', "  {"]),
        ("40\x1e2", ["connect", "ping"]),
        ("2:401:6", ["connect", "noop"]),
        ("4hello", ["message hello"]),
    ],
)
def test_socket_io(views: ContentviewRegistry, body: str, lines: list[str]) -> None:
    flow = http_flow("http://example.com/socket.io/?EIO=4&transport=polling", 200)
    assert flow.response
    flow.response.content = body.encode()
    result = views.prettify_message(flow.response, flow)
    assert result.view_name == "socket.io"
    assert result.text.split("\n")[: len(lines)] == lines


def test_zip_lists_files(views: ContentviewRegistry) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a/b\x1b.txt"), "hello")
    lines = shown(views, file.getvalue(), "application/zip").text.split("\n")
    assert lines[0] == "1 files, 5 bytes unpacked"
    assert lines[2] == "           5            5  1980-01-01 00:00:00  a/b\\x1b.txt"


def test_a_hex_dump_has_no_more_lines_than_are_wanted(views: ContentviewRegistry) -> None:
    assert views.prettify(bytes(100), Metadata(lines=2)).text.count("\n") == 1
    assert views.prettify(b"ab\0", Metadata()).text == f"00000000  {'61 62 00':47}  ab."
