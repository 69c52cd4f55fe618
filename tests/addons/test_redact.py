"""Redaction: what is kept or shown lacks secrets, and those who talk to each other lack nothing."""

from __future__ import annotations

import gzip
import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from proxyfw import ctx, hookspecs
from proxyfw import io as flowio
from proxyfw.addonmanager import Loader
from proxyfw.exceptions import OptionsError
from proxyfw.flow import Error, Flow
from proxyfw.http import HTTPFlow, Request, Response
from proxyfw.log import TerminalLog
from proxyfw.redaction import redacted, redacted_text
from proxyfw.rules import Trace, dry_run
from proxyfw.testing import http_flow, tcp_flow, websocket_flow, world

CARD = "4111 1111 1111 1111"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
SECRETS = (
    "hunter2", "abc123session", "tok-in-query", "Zm9vOmJhcg==", JWT, CARD, "key-of-header", "next-token-77",
)  # fmt: skip
BODY = json.dumps({"user": "alice", "password": "hunter2", "note": f"card {CARD}", "n": [1, 2.5, None, True]})
ANSWER = json.dumps({"ok": True, "access_token": JWT, "next": "/more?token=next-token-77"})
REQUEST = (
    "POST http://example.com/login?a=1&token=tok-in-query&b=2 HTTP/1.1\r\nHost: example.com\r\n"
    "Authorization: Basic Zm9vOmJhcg==\r\nCookie: session=abc123session; lang=en\r\n"
    "X-API-Key: key-of-header\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(BODY)}\r\n\r\n{BODY}"
).encode()
RESPONSE = (
    "HTTP/1.1 200 OK\r\nSet-Cookie: session=abc123session; Path=/; HttpOnly\r\nSet-Cookie: b=hunter2\r\n"
    "Location: /x#access_token=tok-in-query\r\n"
    f"Content-Type: application/json\r\nContent-Length: {len(ANSWER)}\r\n\r\n{ANSWER}"
).encode()


def leaks(text: str | bytes) -> list[str]:
    """The secrets that are in *text*."""
    text = text if isinstance(text, str) else text.decode("utf-8", "replace")
    return [secret for secret in SECRETS if secret in text]


def proxy(*rules: dict[str, Any], **options: Any) -> Any:
    return world(default_addons=("rules", "redact"), **({"rules": list(rules)} if rules else {}), **options)


def rule(**config: Any) -> dict[str, Any]:
    return {"name": "secret", "action": {"type": "redact", **config}}


def kept(w: Any, flow: Any) -> Any:
    """What may be kept of *flow*."""
    with ctx.use(w.proxy):
        return redacted(flow)


def exchange(body: str | bytes = BODY, kind: str = "application/json") -> HTTPFlow:
    request = Request.make("POST", "http://example.com/a", body, {"Content-Type": kind})
    return http_flow(request, Response.make(200, body, {"Content-Type": kind}))


async def test_nothing_that_is_kept_has_a_secret_and_the_wire_has_them_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Features 84 (log, output, files): client and origin got every byte."""
    terminal = io.StringIO()
    addons = ("rules", "redact", "dumper")
    async with world(default_addons=addons, redact=True, flow_detail=4) as w:
        with TerminalLog(stream=terminal, proxy=w.proxy):
            origin, client = w.origin(), w.client()
            client.write(REQUEST)
            server = await origin.accept()
            received = await server.message()
            server.write(RESPONSE)
            assert await client.message() == RESPONSE
            (flow,) = await w.ended()
            assert isinstance(flow, HTTPFlow)
            with ctx.use(w.proxy):
                logging.getLogger("proxyfw").error("%s: %s", flow.request.pretty_url, REQUEST.decode())
        assert received.endswith(BODY.encode())
        assert set(leaks(received + RESPONSE)) == set(SECRETS)
        file = io.BytesIO()
        flowio.FlowWriter(file).add(kept(w, flow))
        assert set(leaks(str(flow.get_state()))) == set(SECRETS)
    assert leaks(file.getvalue()) == []
    assert leaks(terminal.getvalue()) == []
    printed = capsys.readouterr().out
    assert leaks(printed) == []
    for line in (
        "POST /login?a=1&token=[redacted]&b=2 HTTP/1.1",
        "Authorization: Basic [redacted]",
        "Cookie: session=[redacted]; lang=[redacted]",
        "Set-Cookie: session=[redacted]; Path=/; HttpOnly",
        "Set-Cookie: b=[redacted]",
    ):
        assert line in printed
    assert "/login?a=1&token=[redacted]&b=2" in terminal.getvalue()
    file.seek(0)
    (read,) = flowio.FlowReader(file).stream()
    assert read.id == flow.id


async def test_json_stays_json_and_lengths_are_right() -> None:
    flow = exchange()
    flow.request.encode("gzip")
    async with proxy(redact=True) as w:
        copy = kept(w, flow)
    assert copy.request.json() == {
        "user": "alice", "password": "[redacted]", "note": "card [redacted]", "n": [1, 2.5, None, True],
    }  # fmt: skip
    assert gzip.decompress(copy.request.raw_content).startswith(b"{")
    assert int(copy.request.headers["content-length"]) == len(copy.request.raw_content)
    assert flow.request.json()["password"] == "hunter2"


async def test_off_costs_no_copy() -> None:
    flow = exchange()
    async with proxy() as w:
        assert kept(w, flow) is flow
        assert (
            not w.proxy.addons.wants(hookspecs.flow_end) or w.proxy.addons.rules.current.hooks == frozenset()
        )
    assert redacted(flow) is flow
    async with world() as w:
        assert kept(w, flow) is flow


async def test_only_flows_that_a_rule_matches_and_only_what_it_names() -> None:
    one = {"name": "one", "match": {"host": "example.com"}, "action": {"type": "redact", "json": "user"}}
    async with proxy(one) as w:
        copy = kept(w, exchange())
        assert copy.request.json()["user"] == "[redacted]"
        assert copy.request.json()["password"] == "hunter2"
        other = exchange()
        other.request.host = "example.net"
        assert kept(w, other) is other


async def test_a_rule_behind_one_that_answers_holds_all_the_same() -> None:
    mock = {"name": "mock", "action": {"type": "mock", "status": 204}}
    options = {"rules": [mock, rule()]}
    async with world(default_addons=("rules", "mock", "redact"), **options) as w:
        client = w.client()
        client.write(REQUEST)
        await client.head()
        (flow,) = await w.ended()
        assert leaks(str(kept(w, flow).get_state())) == []


async def test_rules_may_match_what_is_known_only_at_the_end() -> None:
    late = {"match": {"status": "5xx"}, "action": {"type": "redact", "json": "user"}}
    async with proxy(late) as w:
        flow = exchange()
        assert kept(w, flow) is flow
        assert flow.response
        flow.response.status_code = 500
        assert kept(w, flow).request.json()["user"] == "[redacted]"


@pytest.mark.parametrize(
    ("config", "body", "expected"),
    [
        ({"json": "$.a.b"}, '{"a": {"b": 1}, "b": 2}', '{"a": {"b": "[redacted]"}, "b": 2}'),
        ({"json": "$.a[1]"}, '{"a":[1,2]}', '{"a":[1,"[redacted]"]}'),
        ({"json": "$.a[*].n"}, '{"a":[{"n":"x"},{"m":"x"}]}', '{"a":[{"n":"[redacted]"},{"m":"x"}]}'),
        ({"json": "$..n"}, '[{"N":"x"}]', '[{"N":"[redacted]"}]'),
        ({"json": "$..a.n"}, '{"x":{"a":{"n":1}},"n":1}', '{"x":{"a":{"n":"[redacted]"}},"n":1}'),
        ({"json": "$['a b'].*"}, '{"a b":{"c":1}}', '{"a b":{"c":"[redacted]"}}'),
        ({"json": "a"}, '{"a": {"b": ["x", {"c": 2}]}}', '{"a": {"b": ["[redacted]", {"c": "[redacted]"}]}}'),
        ({"json": "a"}, '{"a": null, "b": ""}', '{"a": null, "b": ""}'),
        ({"json": "a"}, '{"b" :1.10,   "c":"x"}', '{"b" :1.10,   "c":"x"}'),
        ({"json": "a"}, '{"a": "x", "b": 1e999}', '{"a": "[redacted]", "b": "1e999"}'),
        ({"json": "a"}, '{"a": "x", "b"', '{"a": "[redacted]", "b"'),
        ({"json": "a"}, '{"b": 1, "a": "cut he', '{"b": 1, "a": "[redacted]"'),
        ({"json": "$.a[0]"}, '{"a": ["cut he', "[redacted]"),
        (
            {"json": "a"},
            'data: {"a": 1}\ndata: {"b": 1}\n\n',
            'data: {"a": "[redacted]"}\ndata: {"b": 1}\n\n',
        ),
        ({"json": "a"}, ')]}\',\n{\n  "a": 1\n}', ')]}\',\n{\n  "a": "[redacted]"\n}'),
        ({"json": "$.a[0]"}, ')]}\'\n[{\n  "a": [1', ")]}'\n[redacted]"),
        ({"json": "$.a[0]"}, '{\n  "a": [\n 1', "[redacted]"),
        ({"json": "$.a[0]"}, '{"a":[1]}\n{"a":[2', '{"a":["[redacted]"]}\n[redacted]'),
        ({"json": "a"}, '{"b": 1, "a": {"c": 2, "d"', '{"b": 1, "a": "[redacted]"'),
        ({"json": "a"}, "[" * 5000 + '{"a": "x"', "[" * 5000 + '{"a": "[redacted]"'),
        ({"json": "a"}, 'var x = {"a": {"b": 1}}', 'var x = {"a": {"b": 1}}'),
        ({"json": "a"}, 'f({"a": 1})', 'f({"a": "[redacted]"})'),
        ({"json": "a"}, '{"a":1}\n{"a":2}\n', '{"a":"[redacted]"}\n{"a":"[redacted]"}\n'),
        ({"cards": True}, '{"n": 4111111111111111}', '{"n": "[redacted]"}'),
        ({"cards": True}, '{"n": 4111111111111112}', '{"n": 4111111111111112}'),
        ({"body": "Erika"}, '{"n": "Erika M"}', '{"n": "[redacted] M"}'),
        ({"body": "/no (\\d+)-(\\d+)/i"}, "NO 12-34, 5", "NO [redacted]-[redacted], 5"),
        ({"body": "/x|y/"}, "xyz", "[redacted][redacted]z"),
    ],
)
async def test_bodies(config: dict[str, Any], body: str, expected: str) -> None:
    async with proxy(rule(**config)) as w:
        copy = kept(w, exchange(body))
    assert copy.request.text == expected
    assert copy.response.text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bearer abcdef0123456789", "Bearer [redacted]"),
        ("basic knowledge of the token principle", "basic knowledge of the token principle"),
        (f"x {JWT}!", "x [redacted]!"),
        ("AKIAIOSFODNN7EXAMPLE", "[redacted]"),
        ("ghp_0123456789abcdefghij0123456789abcdef", "[redacted]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\n.", "[redacted]\n."),
        ("4111111111111111", "[redacted]"),
        ("pay 5500-0000-0000-0004 now", "pay [redacted] now"),
        ("378282246310005", "[redacted]"),
        ("4111111111111112", "4111111111111112"),
        ("1700000000000", "1700000000000"),
        ("0.4111111111111111", "0.4111111111111111"),
        ("41111111111111111111111", "41111111111111111111111"),
        ("/a?password=x&b=1", "/a?password=[redacted]&b=1"),
        ("<a:Password x='1'>x y</a:Password><b>c</b>", "<a:Password x='1'>[redacted]</a:Password><b>c</b>"),
        (
            "https://user:pw@x.test/ http://x.test:8080/@",
            "https://user:[redacted]@x.test/ http://x.test:8080/@",
        ),
    ],
)
async def test_what_looks_like_a_secret(text: str, expected: str) -> None:
    async with proxy(redact=True) as w:
        copy = kept(w, exchange(text, "text/plain"))
        assert copy.response.text == expected
        assert redacted_text(text, w.proxy) == expected


async def test_forms() -> None:
    async with proxy(redact=True) as w:
        text = "user=a&password=it's my; #1&user%5Bsecret%5D=hunter2&x=1"
        form = kept(w, exchange(text, "application/x-www-form-urlencoded"))
        parts = exchange(b"", "multipart/form-data; boundary=b")
        parts.request.multipart_form = {b"user": b"a", b"password": b"hunter2", b"photo": b"\xff\x00"}
        multipart = kept(w, parts)
    assert form.request.text == "user=a&password=[redacted]&user%5Bsecret%5D=[redacted]&x=1"
    assert list(multipart.request.multipart_form.items()) == [
        (b"user", b"a"), (b"password", b"[redacted]"), (b"photo", b"\xff\x00"),
    ]  # fmt: skip


async def test_whatever_a_value_in_a_path_has_in_it() -> None:
    flow = exchange()
    flow.request.path = "/a;b=1?x=1;token=it's;me&user.password=p%20q&token=#"
    async with proxy(redact=True) as w:
        assert kept(w, flow).request.path == (
            "/a;b=1?x=1;token=[redacted]&user.password=[redacted]&token=[redacted]"
        )


async def test_json_that_is_called_a_form() -> None:
    """As curl does."""
    async with proxy(redact=True) as w:
        copy = kept(w, exchange('{"password": "hunter2"}', "application/x-www-form-urlencoded"))
    assert copy.request.text == '{"password": "[redacted]"}'


async def test_a_form_that_was_cut_is_not_kept() -> None:
    flow = exchange(b"", "multipart/form-data; boundary=b")
    flow.request.content = b'--b\r\nContent-Disposition: form-data; name="password"\r\n\r\nhunt'
    flow.request.truncated = True
    async with proxy(redact=True) as w:
        copy = kept(w, flow)
    assert copy.request.content == b"[redacted]"
    assert copy.request.truncated


@pytest.mark.parametrize(
    ("value", "expected"),
    [("Bearer a", "Bearer [redacted]"), ("two words", "[redacted]"), ("AWS4-HMAC-SHA256 C=1, S=2", None)],
)
async def test_schemes_stay_and_what_is_none_does_not(value: str, expected: str | None) -> None:
    flow = exchange()
    flow.request.headers["Authorization"] = value
    async with proxy(redact=True) as w:
        assert kept(w, flow).request.headers["Authorization"] == (expected or "AWS4-HMAC-SHA256 [redacted]")


async def test_the_login_of_a_url() -> None:
    flow = exchange()
    flow.request.authority = "user:hunter2@example.com"
    async with proxy(redact=True) as w:
        assert kept(w, flow).request.authority == "user:[redacted]@example.com"


async def test_bodies_that_nobody_can_read_are_not_kept() -> None:
    flow = exchange("hunter2", "text/plain")
    assert flow.response
    flow.response.headers["content-encoding"] = "gzip"
    async with proxy(redact=True) as w:
        copy = kept(w, flow)
    assert copy.response.raw_content == b"[redacted]"
    assert copy.response.text == "[redacted]"


async def test_a_record_that_was_cut_stays_marked_so() -> None:
    flow = exchange('{"password": "hunt')
    flow.request.truncated = True
    async with proxy(redact=True) as w:
        copy = kept(w, flow)
    assert copy.request.text == '{"password": "[redacted]"'
    assert copy.request.truncated


async def test_pictures_stay_as_they_are() -> None:
    body = b"\x89PNG 4111111111111111"
    async with proxy(redact=True) as w:
        assert kept(w, exchange(body, "image/png")).response.content == body


async def test_messages() -> None:
    text = '{"password": "hunter2", "a": 1}'
    async with proxy(redact=True) as w:
        socket = websocket_flow((True, text), (False, b"\xff Bearer 0123456789"))
        copy = kept(w, socket)
        assert copy.websocket
        assert [message.content for message in copy.websocket.messages] == [
            b'{"password": "[redacted]", "a": 1}', b"\xff Bearer [redacted]",
        ]  # fmt: skip
        raw = kept(w, tcp_flow((True, b"\x00\xff Basic Zm9vOmJhcg==\n")))
    assert raw.messages[0].content == b"\x00\xff Basic [redacted]\n"


async def test_what_was_said_about_a_flow_is_looked_at_too() -> None:
    flow = exchange()
    flow.comment = "see http://x/?token=tok-in-query"
    flow.error = Error("no way to http://x/?token=tok-in-query")
    flow.metadata["seen"] = {"urls": ["/?token=tok-in-query", 3]}
    flow.trace = Trace()
    flow.trace.add("a", "request", "matched", "sent to /?token=tok-in-query")
    flow.backup()
    async with proxy(redact=True) as w:
        state = str(kept(w, flow).get_state())
    assert leaks(state) == []
    assert state.count("token=[redacted]") == 4


async def test_equal_secrets_stay_equal_with_a_key() -> None:
    """Replays find their requests again: by the same key the same hash, in every run."""
    seen = set()
    for _ in range(2):
        async with proxy(redact=True, redact_key="any words") as w:
            copy = kept(w, exchange())
            again = kept(w, copy)
            seen.add(copy.request.text)
            assert again.request.text == copy.request.text
    (text,) = seen
    first = json.loads(text)["password"]
    assert first.startswith("[redacted:")
    async with proxy(redact=True, redact_key="other words") as w:
        assert kept(w, exchange()).request.json()["password"] != first
        assert kept(w, exchange(BODY.replace("hunter2", "hunter3"))).request.json()["password"] != first


async def test_what_is_kept_is_what_is_searched() -> None:
    """Features 76: a word that was redacted is not found."""
    from proxyfw import flowfilter

    flow = exchange()
    async with proxy(redact=True) as w:
        copy = kept(w, flow)
    assert flowfilter.match("~b hunter2", flow)
    assert not flowfilter.match("~b hunter2", copy)
    assert flowfilter.match("~b alice", copy)


async def test_an_option_that_changes_holds_at_once() -> None:
    async with proxy() as w:
        w.proxy.options.redact = True
        assert leaks(str(kept(w, exchange()).get_state())) == []
        w.proxy.options.redact = False
        added = w.proxy.addons.rules.add(rule())
        assert leaks(str(kept(w, exchange()).get_state())) == []
        w.proxy.addons.rules.remove(added)
        flow = exchange()
        assert kept(w, flow) is flow
        w.proxy.options.redact = True
        w.proxy.addons.remove("redact")
        assert kept(w, flow) is flow


class Broken:
    """Cannot do what it is for."""

    def load(self, loader: Loader) -> None:
        loader.add_redactor(self)

    def plan(self, flow: Flow) -> Any:
        return self._fail

    def _fail(self, copy: Flow) -> None:
        raise ValueError("broken")

    def text(self, text: str) -> str:
        raise ValueError("broken")


async def test_what_cannot_be_redacted_is_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    flow = exchange()
    flow.request.path = "/a?token=tok-in-query"
    flow.comment = "hunter2"
    async with world(addons=[Broken()]) as w:
        state = kept(w, flow).get_state()
        assert redacted_text("hunter2", w.proxy) == "(not shown: its redaction failed: ValueError)"
        assert kept(w, websocket_flow((True, "hunter2"))).websocket.messages[0].content == b""
    assert leaks(str(state)) == []
    assert state["id"] == flow.id
    assert "is kept without content" in caplog.text


async def test_an_addon_that_is_replaced_leaves_no_redactor() -> None:
    async with world(addons=[Broken()]) as w:
        (name,) = [name for name in w.proxy.addons.names() if name.startswith("broken")]
        w.proxy.addons.replace(name, Broken())
        w.proxy.addons.remove(name)
        flow = exchange()
        assert kept(w, flow) is flow


async def test_the_script_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs/howto/redact.md").read_text(encoding="utf-8")
    script: dict[str, Any] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], script)
    flow = exchange()
    flow.request.path = "/?token=x"
    async with proxy(redact=True) as w:
        with ctx.use(w.proxy):
            script["response"](flow)
    assert capsys.readouterr().out == "http://example.com/?token=[redacted]\n"


async def test_an_addon_that_cannot_be_loaded_leaves_no_redactor() -> None:
    class Half(Broken):
        def configure(self, updated: set[str]) -> None:
            raise OptionsError("no")

    async with world() as w:
        with pytest.raises(OptionsError):
            w.proxy.addons.add(Half())
        flow = exchange()
        assert kept(w, flow) is flow


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"json": "$.a["}, "'$.a[' is no path: write password"),
        ({"json": ""}, "'' is no path"),
        ({"body": "/(/"}, "is not a regular expression"),
        ({"body": "/x*/"}, "matches nothing at all"),
        ({"headers": "/(/"}, "is not a regular expression"),
        ({"header": "x"}, "did you mean headers"),
    ],
)
async def test_what_cannot_be_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError) as caught:
        async with proxy(rule(**config)):
            pass
    assert message in str(caught.value)


async def test_a_dry_run_says_which_rules_redact() -> None:
    async with proxy({**rule(), "match": {"host": "*.com"}}) as w:
        trace, _ = await dry_run(w.proxy.addons.rules.current, exchange())
    assert [str(step) for step in trace] == [
        "flow_end: secret matched",
        "note: secret matched (secrets are left out of what is kept)",
    ]


async def test_messages_cannot_be_matched() -> None:
    with pytest.raises(OptionsError, match="not yet known when the action acts"):
        async with proxy({"match": {"message": "x"}, "action": "redact"}):
            pass


async def test_the_examples_of_the_page(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/howto/redact.md").read_text(encoding="utf-8")
    file = tmp_path / "rules.yaml"
    file.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    body = '{"user":{"email":"e@x"},"cards":[{"holder":"Erika Mustermann"}],"s":"SSN is 123-4"}'
    async with world(default_addons=("rules", "redact"), rules_file=[str(file)]) as w:
        flow = exchange(body)
        flow.request.headers["X-Customer-Id"] = "77"
        flow.request.host, flow.request.path = "www.shop.example", "/?q=word&n=1"
        copy = kept(w, flow)
    assert copy.request.path == "/?q=[redacted]&n=1"
    assert copy.request.headers["x-customer-id"] == "[redacted]"
    assert copy.request.json() == {
        "user": {"email": "[redacted]"}, "cards": [{"holder": "[redacted]"}], "s": "SSN is [redacted]",
    }  # fmt: skip
