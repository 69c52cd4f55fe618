"""Hostile requests stay data in every format; what cannot be written is refused; secrets are not in it."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxyfw.cli.main import program
from proxyfw.connection import ServerSpec
from proxyfw.exceptions import CommandError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow, Request, Response
from proxyfw.proxy import Proxy
from proxyfw.testing import addon_test_context, http_flow, tcp_flow, websocket_flow
from proxyfw_addons.export import Export, powershell
from proxyfw_addons.export.bytewise import quoted
from proxyfw_addons.export.formats import FORMATS, written
from proxyfw_addons.export.php import literal
from proxyfw_addons.export.sent import Sent
from proxyfw_addons.export.shell import word
from proxyfw_addons.storage.batch import Batches
from proxyfw_addons.storage.database import opened
from proxyfw_addons.storage.record import recorded

UPSTREAM = ServerSpec("http", ("proxy.example", 3128))
SEEDS = [
    "'",
    '"',
    "\\",
    "`id`",
    "$(id)",
    "${x}",
    "\n",
    "\\n",
    "!!",
    "%s",
    "{$a}",
    "</",
    "é",
    "\u2019",
    "@",
    "; id #",
]
hostile = st.lists(st.sampled_from(SEEDS) | st.text(max_size=4), max_size=6).map("".join)
values = st.one_of(hostile.map(lambda text: text.encode("utf-8", "ignore")), st.binary(max_size=30)).map(
    lambda data: re.sub(rb"[\r\n\0]", b"", data).strip(b" \t")
)
bodies = st.one_of(hostile.map(lambda text: text.encode("utf-8", "ignore")), st.binary(max_size=60))
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def flow_of(value: bytes, body: bytes, method: bytes = b"POST") -> HTTPFlow:
    path = b"/" + re.sub(rb"[\x00-\x20]", b"", value)
    fields = [(b"Host", b"example.com"), (b"X-Value", value), (b"Content-Length", b"%d" % len(body))]
    return http_flow(
        Request("example.com", 80, method, b"http", b"", path, b"HTTP/1.1", fields, body, None, 0.0, 0.0)
    )


def unescaped(word: str) -> bytes:
    """What `printf %b` makes of the text of a word, or the word itself."""
    found = re.fullmatch(r"\$\(printf %b '([A-Za-z0-9 :;,./_=\\-]*)'\)", word)
    if found is None:
        return word.encode()
    return re.sub(rb"\\0(\d{3})", lambda octal: bytes([int(octal[1], 8)]), found[1].encode())


@quick
@given(values, bodies)
def test_words_of_a_shell_are_words(value: bytes, body: bytes) -> None:
    flow = flow_of(value, body)
    text = written("curl", flow).decode()
    command = text.partition("base64 -d | ")[2] if text.startswith("printf") else text
    split = [*shlex.split(command), ""]
    words = [word for word, after in pairwise(split) if word != "\n" or not after.startswith("-")]
    head = [unescaped(after) for before, after in pairwise(words) if before == "-H"]
    assert head[0] == (b"X-Value: " + value if value else b"X-Value;")
    assert {word for word in words if word.startswith("-")} <= {
        "-H", "--data-raw", "--data-binary", "--globoff", "--request-target",
    } | {flow.request.raw_content.decode("utf-8", "ignore") if flow.request.raw_content else ""}  # fmt: skip
    if "--data-raw" in words:
        assert words[words.index("--data-raw") + 1].encode() == body


def test_a_shell_reads_words_as_they_are(tmp_path: Path) -> None:
    """One shell for many words: what it says they are is what they were."""
    hard = [text.encode() for text in SEEDS if text != "\n"] + [
        bytes(range(1, 256)) + b".",
        b"\xff`id`$(id)'\"",
    ]
    script = "printf '%s\\0' " + " ".join(word(each) for each in hard)
    done = subprocess.run(["sh", "-c", script], capture_output=True, cwd=tmp_path, check=True)
    assert done.stdout.split(b"\0")[:-1] == hard
    for number, format in enumerate(("curl", "httpie")):
        text = written(format, flow_of(b"'\"`$(id)", b"'\n`id`\n$(id)"))
        assert subprocess.run(["sh", "-n"], input=text, check=False).returncode == 0, number


@quick
@given(values, bodies)
def test_literals_of_python_are_literals(value: bytes, body: bytes) -> None:
    for format in ("python_httpx", "python_requests"):
        tree = ast.parse(written(format, flow_of(value, body)))
        call = next(
            node for node in ast.walk(tree)
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".Request")
        )  # fmt: skip
        found = {word.arg: word.value for word in call.keywords}
        if format == "python_httpx":
            assert ast.literal_eval(found["headers"])[0] == (b"X-Value", value)
        else:
            headers = found["headers"]
            assert isinstance(headers, ast.Dict)
            assert ast.literal_eval(headers.values[0]) == value
        names = {node.id for node in ast.walk(call) if isinstance(node, ast.Name)}
        assert names <= {"httpx", "requests", "SKIP_HEADER"}
        content = found.get("content", found.get("data"))
        assert content is not None
        if isinstance(content, ast.Call):
            assert isinstance(content.func, ast.Attribute)
            assert ast.literal_eval(content.func.value).encode() == body
        else:
            assert ast.literal_eval(content) == body


@quick
@given(st.binary(max_size=60) | hostile.map(lambda text: text.encode("utf-8", "ignore")))
def test_literals_of_other_languages_are_literals(data: bytes) -> None:
    text = quoted(data)
    assert re.fullmatch(r'"([ -!#-\[\]-~]|\\[nrt"\\]|\\x[0-9a-f]{2})*"', text)
    assert ast.literal_eval("b" + text) == data
    php = literal(data)
    assert not re.search(r"(?<!\\)(\\\\)*\$", php)
    assert php.replace("\\$", "$") == text
    shown = powershell.literal(data)
    plain = re.fullmatch(r"'((?:[ -&(-~]|'')*)'", shown)
    encoded = (
        r"\(\[Text\.Encoding\]::Latin1\.GetString\(\[Convert\]::FromBase64String\('[A-Za-z0-9+/=]*'\)\)\)"
    )
    assert plain[1].replace("''", "'").encode() == data if plain else re.fullmatch(encoded, shown)


@quick
@given(values, bodies)
def test_literals_of_javascript_are_json(value: bytes, body: bytes) -> None:
    text = written("node_fetch", flow_of(value, body)).decode()
    assert text.isascii()
    field = re.search(r'^    (\["X-Value", ".*"\]),$', text, re.MULTILINE)
    assert field is not None
    assert json.loads(field[1]) == ["X-Value", value.decode("latin-1")]


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_written(format: str) -> None:
    flow = http_flow(Request.make("POST", "https://example.com/a?b=c", b'{"d": 1}', {"X-Name": "some value"}))
    flow.response = Response.make(200, b"\xff", {"X-Answer": "yes"})
    text = written(format, flow)
    response_only = format == "raw_response"
    assert (b"X-Answer: yes" if response_only else b"some value") in text
    assert (b"\r\n\r\n\xff" if response_only else b"/a?b=c") in text


@pytest.mark.parametrize(
    ("format", "flow", "message"),
    [
        ("curl", tcp_flow(), "type tcp: only HTTP"),
        ("cur", http_flow(), "no format 'cur'"),
        ("curl", websocket_flow(), "opens a WebSocket"),
        ("curl", flow_of(b"", b"", b"CONNECT"), "CONNECT is for proxies"),
        ("go", flow_of(b"", b"", b"A B"), "no method"),
        ("php", flow_of(b"a\r\nEvil: b", b""), "cannot be sent"),
        ("curl", flow_of(b"", b"x", b"HEAD"), "HEAD with a body"),
        ("php", flow_of(b"", b"x", b"HEAD"), "HEAD with a body"),
        ("node_fetch", flow_of(b"", b"x", b"GET"), "fetch refuses GET with a body"),
        ("httpie", flow_of(b"", b"", b"M-SEARCH"), "HTTPie does not know"),
        ("httpie", flow_of(rb"a\:b", b""), "HTTPie cannot send the field X-Value"),
        ("raw_response", http_flow(response=None), "no response"),
    ],
)
def test_what_cannot_be_written_is_refused(format: str, flow: Flow, message: str) -> None:
    with pytest.raises(CommandError, match=re.escape(message)):
        written(format, flow)


def test_a_path_does_not_lead_to_another_host() -> None:
    flow = http_flow()
    for path in ("@evil.example/", ".evil.example/", ":81/", ""):
        flow.request.path = path
        with pytest.raises(CommandError, match="is no path"):
            written("curl", flow)


def test_bodies_that_were_not_kept_are_refused() -> None:
    streamed, cut = http_flow(), http_flow()
    streamed.request.raw_content = None
    cut.request.truncated = True
    for flow, message in ((streamed, "not kept"), (cut, "was cut")):
        with pytest.raises(CommandError, match=message):
            written("curl", flow)
        with pytest.raises(CommandError, match="not kept"):
            written("raw", flow)


def test_fields_of_the_connection_are_left_out() -> None:
    fields = {
        "Connection": "close, X-Hop",
        "X-Hop": "1",
        "Proxy-Authorization": "x",
        "TE": "trailers",
        "X": "2",
    }
    flow = http_flow(Request.make("GET", "http://example.com/", headers=fields))
    assert Sent.of(flow).fields == (("X", b"2"),)


def test_requests_of_http2_are_written_as_http1() -> None:
    flow = http_flow(
        Request.make("GET", "https://example.com/", headers=[("cookie", "a=b"), ("cookie", "c=d")])
    )
    flow.request.http_version, flow.request.authority = "HTTP/2.0", "example.com"
    assert "-H 'cookie: a=b; c=d'" in written("curl", flow).decode()
    assert written("raw_request", flow).startswith(b"GET / HTTP/1.1\r\nHost: example.com\r\n")


def test_tls_to_an_address_is_verified_by_name() -> None:
    flow = http_flow(Request.make("GET", "https://192.0.2.1/"))
    flow.server_conn.sni, flow.request.headers["Host"] = "example.com", "example.com"
    flow.server_conn.peername = ("192.0.2.1", 443)
    assert "https://example.com/ " in written("curl", flow).decode()
    with addon_test_context(Export()) as context:
        context.options.export_preserve_original_ip = True
        export = partial(context.commands.call, "export", "curl", flow)
        assert "--resolve example.com:443:192.0.2.1" in export()
        flow.request.host, flow.server_conn.via = "example.com", UPSTREAM
        assert "--resolve" not in export()


def test_commands(tmp_path: Path) -> None:
    flow, path = http_flow(response=Response.make(200, b"\xff")), tmp_path / "snippet"
    with addon_test_context(Export()) as context:
        commands = context.commands
        assert commands.call_strings("export.formats", []) == list(FORMATS)
        assert commands.call("export", "raw_response", flow).endswith("\r\n\r\n\\xff")
        commands.call("export.file", "raw_response", flow, str(path))
        assert path.read_bytes().endswith(b"\r\n\r\n\xff")
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(CommandError, match="Is a directory"):
            commands.call("export.file", "curl", flow, str(tmp_path))
        with pytest.raises(CommandError, match="no display"):
            commands.call("export.clip", "curl", flow)


def test_secrets_are_not_exported() -> None:
    """Features 84, of snippets: the flow keeps the secret, the snippet does not have it."""
    proxy = Proxy(default_addons=("rules", "redact", "export"), redact=True)
    headers = {"Authorization": "Bearer sesame", "X-Kept": "kept"}
    flow = http_flow(Request.make("GET", "http://example.com/", headers=headers))
    for format in FORMATS:
        text = proxy.commands.call("export", format, flow)
        assert "sesame" not in text
        assert "kept" in text or format == "raw_response"
    assert flow.request.headers["Authorization"] == "Bearer sesame"


def test_recorded_flows_are_exported_on_the_command_line(tmp_path: Path) -> None:
    place, output = str(tmp_path / "traffic.db"), tmp_path / "request.sh"
    made = opened(place)
    requests = {
        "aaaa-1": Request.make("GET", "http://shop.test/tea"),
        "bbbb-2": Request.make("A B", "http://shop.test/tea"),
    }
    Batches(made).write([recorded(http_flow(request, id=id)) for id, request in requests.items()])
    made.database.close()
    command = ["flows", "export", "--store", place]

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(program, [*command, *words], prog_name="proxyfw")
        return result.exit_code, result.output

    assert run("aaaa")[1].startswith("curl http://shop.test/tea")
    assert run("aaaa", "--format", "go", "-o", str(output)) == (0, "")
    assert output.read_text().startswith("package main")
    assert run("cccc")[0] == 1
    assert "no method" in run("bbbb", "--format", "php")[1]
