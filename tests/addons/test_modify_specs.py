"""The options `modify_headers` and `modify_body`: what specs mean, and what is said of mistakes in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxyfw import ctx
from proxyfw.exceptions import OptionsError
from proxyfw.http import Headers, HTTPFlow, Request, Response
from proxyfw.proxy import Proxy
from proxyfw.testing import http_flow

URL = "http://example.com/a"


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy(default_addons=("rules", "modify"))
    with ctx.use(made):
        yield made


def through(proxy: Proxy, flow: HTTPFlow) -> HTTPFlow:
    """*flow* after the rules; its response stands for the origin's."""
    answer, flow.response = flow.response, None
    for hook in ("request", "responseheaders", "response"):
        assert proxy.addons.rules.current.run(hook, (flow,)) is None
        flow.response = flow.response or answer
    return flow


def http(body: bytes = b"", answer: bytes = b"", url: str = URL) -> HTTPFlow:
    flow = http_flow(Request.make("POST" if body else "GET", url, body), Response.make(200, answer))
    assert flow.response
    flow.request.headers = Headers([(b"Host", b"example.com"), (b"A", b"1"), (b"b", b"2"), (b"a", b"3")])
    flow.response.headers = Headers([(b"Server", b"x"), (b"A", b"1")])
    return flow


def fields(flow: HTTPFlow) -> tuple[list[tuple[bytes, bytes]], list[tuple[bytes, bytes]]]:
    assert flow.response
    return flow.request.headers.fields[1:], flow.response.headers.fields


def test_what_is_named_is_removed_first_and_then_added() -> None:
    """mitmproxy 5.6.108."""
    proxy = Proxy(default_addons=("rules", "modify"), modify_headers=["/a/one", "/x/", "|A|t/w/o", "/B/"])
    assert fields(through(proxy, http())) == (
        [(b"a", b"one"), (b"A", b"t/w/o")],
        [(b"Server", b"x"), (b"a", b"one"), (b"A", b"t/w/o")],
    )


def test_filters_see_the_flow_as_it_was() -> None:
    """mitmproxy 5.6.108."""
    specs = ["/~q/a/", "/~hq ^a:/new/yes", "/~s & ~hs Server/Server/", "/~u nothing/b/"]
    proxy = Proxy(default_addons=("rules", "modify"), modify_headers=specs)
    assert fields(through(proxy, http())) == (
        [(b"b", b"2"), (b"new", b"yes")],
        [(b"A", b"1")],
    )


def test_each_side_is_asked_about_by_itself(proxy: Proxy) -> None:
    proxy.options.modify_headers = ["/~q/x/q", "/~s/x/s"]
    request, response = fields(through(proxy, http()))
    assert ((b"x", b"q") in request, (b"x", b"q") in response) == (True, False)
    assert ((b"x", b"s") in request, (b"x", b"s") in response) == (False, True)
    proxy.options.modify_body = ["/~q/x/q", "/~s/x/s"]
    flow = through(proxy, http(b"x", b"x"))
    assert flow.response
    assert (flow.request.content, flow.response.content) == (b"q", b"s")


def test_the_host_is_set(proxy: Proxy) -> None:
    proxy.options.modify_headers = ["/~q/Host/other.test"]
    flow = through(proxy, http())
    assert (flow.request.headers.get_all("host"), flow.request.host) == (["other.test"], "example.com")


def test_a_file_is_read_again_each_time(proxy: Proxy, tmp_path: Path) -> None:
    value, body = tmp_path / "value", tmp_path / "body"
    value.write_text("one\n")
    body.write_text("[\\1]")
    proxy.options.update(modify_headers=[f"|x|@{value}"], modify_body=[f"|~s|(x)|@{body}"])
    flow = through(proxy, http(answer=b"x"))
    assert flow.response
    assert (flow.request.headers["x"], flow.response.content) == ("one", b"[\\1]")
    value.write_text("two")
    body.write_text("new")
    flow = through(proxy, http(answer=b"x"))
    assert flow.response
    assert (flow.request.headers["x"], flow.response.content) == ("two", b"new")
    value.unlink()
    flow = through(proxy, http(answer=b"x"))
    assert flow.addon_errors
    assert fields(flow)[0] == fields(http())[0]


def test_bodies_are_edited_one_spec_after_the_other_with_groups(proxy: Proxy) -> None:
    r"""mitmproxy 5.6.107: ``\1`` is a group."""
    proxy.options.modify_body = [r"/(\w+)=(.)/\2=\1", "|~s & ~bs 1=a|/|", r"/~s/$/!\n"]
    flow = through(proxy, http(b"a=1", b"a=1/"))
    assert flow.response
    assert (flow.request.content, flow.response.content) == (b"1=a", b"1=a!\n")


def test_a_body_filter_sees_what_the_body_is_when_it_is_whole(proxy: Proxy) -> None:
    proxy.options.modify_body = ["/~b yes/x/y"]
    for content, expected in ((b"yes x", b"yes y"), (b"no x", b"no x")):
        flow = through(proxy, http(answer=content))
        assert flow.response
        assert flow.response.content == expected
        assert through(proxy, http(content)).request.content == expected


def test_a_bodiless_get_is_untouched(proxy: Proxy) -> None:
    """mitmproxy 5.6.107: no Content-Length of 0."""
    proxy.options.modify_body = ["/^/x"]
    flow = http()
    before = list(flow.request.headers.fields)
    through(proxy, flow)
    assert (flow.request.raw_content, flow.request.headers.fields) == (b"", before)


def test_without_specs_there_are_no_rules_and_no_hooks(proxy: Proxy) -> None:
    assert len(proxy.addons.rules) == 0
    proxy.options.modify_body = ["/a/b"]
    assert "response" in proxy.addons.rules.current.hooks
    proxy.options.modify_body = []
    assert proxy.addons.rules.current.hooks == frozenset()


def test_the_trace_names_the_spec(proxy: Proxy) -> None:
    proxy.options.update(modify_headers=["/~q/x/y"], modify_body=["/~s/a/b"])
    trace = through(proxy, http(answer=b"a")).trace
    assert [str(step) for step in trace or () if step.phase == "note"] == [
        "note: modify_headers matched (headers: x)",
        "note: modify_body[0] response matched (body: 1 of a replaced)",
    ]


@pytest.mark.parametrize(
    ("option", "spec", "message"),
    [
        ("modify_headers", "x", "modify_headers: 'x' is not a spec: write /[filter/]name/[@]value"),
        ("modify_headers", "/~x/a/b", "modify_headers: the filter in '/~x/a/b' cannot be read"),
        ("modify_headers", "/a b/c", "'a b' is not the name of a header field"),
        ("modify_headers", "//c", "'' is not the name of a header field"),
        ("modify_headers", "//", "'' is not the name of a header field"),
        ("modify_headers", "/a/b\nc", "has a line end"),
        ("modify_headers", "/content-length/5", "follows from the body"),
        ("modify_headers", "|a|@/no/such/file", "there is no file '/no/such/file'"),
        ("modify_body", "/a", "modify_body: '/a' is not a spec: write /[filter/]regex/[@]replacement"),
        ("modify_body", "/(/b", "modify_body: '/(/b': '(' is not a regular expression"),
        ("modify_body", r"/a/\1", "invalid group reference 1"),
        ("modify_body", "|a|@no/such/file", "no/such/file'"),
    ],
)
def test_a_spec_that_means_nothing_is_refused_and_those_before_it_stay(
    proxy: Proxy, option: str, spec: str, message: str
) -> None:
    proxy.options.update(modify_headers=["/~q/x/y"], modify_body=["/~q/a/b"])
    change: dict[str, Any] = {option: [spec]}
    with pytest.raises(OptionsError, match=re.escape(message)):
        proxy.options.update(**change)
    flow = through(proxy, http(b"a"))
    assert (flow.request.headers["x"], flow.request.content) == ("y", b"b")
