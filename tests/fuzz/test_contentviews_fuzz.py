"""No bytes make a built-in view raise out of the registry, or take more steps than their length explains."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxyfw.contentviews import ContentviewRegistry
from proxyfw.testing import addon_test_context, http_flow
from proxyfw_addons.contentviews import ContentViews
from proxyfw_addons.contentviews.table import VIEWS

NAMES = [view.name for view in VIEWS]
TYPES = [
    "", "application/json", "text/html", "text/css", "text/javascript", "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x", "image/png", "application/x-protobuf", "application/grpc",
    "application/grpc-web-text", "application/msgpack", "application/dns-message", "application/zip",
    "application/graphql", "text/plain; charset=utf-16", "text/plain; charset=nonsense",
]  # fmt: skip
STARTS = [
    b"", b"{", b'{"query":"{', b"<a ", b"--x\r\n\r\n", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a",
    b"RIFF____WEBP",    b"BM", b"\0\0\1\0", b"PK\x03\x04", b"\0\0\0\0\x09", b"42[",
]  # fmt: skip
BYTES = st.one_of(
    st.binary(max_size=300),
    st.tuples(st.sampled_from(STARTS), st.binary(max_size=100)).map(b"".join),
    st.text(alphabet="<>/!-[]{}()\"'`\\;,:=&a1 \n\x1e", max_size=200).map(str.encode),
)


@pytest.fixture(scope="module")
def views() -> Iterator[ContentviewRegistry]:
    with addon_test_context(ContentViews()) as context:
        yield context.addons.contentviews


@given(data=BYTES, name=st.sampled_from(["auto", *NAMES]), kind=st.sampled_from(TYPES))
@settings(max_examples=500, deadline=None)
def test_no_bytes_raise(views: ContentviewRegistry, data: bytes, name: str, kind: str) -> None:
    flow = http_flow("http://example.com/socket.io/?EIO=4", 200)
    assert flow.response
    flow.response.headers["content-type"] = kind
    flow.response.raw_content = data
    result = views.prettify_message(flow.response, flow, name)
    assert result.size == len(data)
    assert "\x1b" not in result.text


PIECES = st.one_of(
    st.sampled_from([
        b"<", b"<a>", b"<a '", b'<a "', b"<!--", b"</a", b"<script>", b"[", b"[1,", b'{"a":', b"{", b"}",
        b"(", b"/*", b"/", b"=/[", b"`", b"{}a", b"a=1&", b"%", b"\r\n--x\r\n", b"\x0a\x02\x08\x01", b"\x0b",
        b"\x0b\x0c", b"\xff", b"\x00\x00\x00\x00\x01\x08",
        b"\x91", b"\x81\xa1a", b"\xdc\xff\xff", b"42[", b"0:", b"\x1e",
        b"\xc0\x0c",
    ]),
    st.binary(min_size=1, max_size=6),
    st.text(alphabet="<>/!-[]{}()\"'`\\;,:a1 \n\x1e", min_size=1, max_size=6).map(str.encode),
)  # fmt: skip


@given(start=st.sampled_from(STARTS), piece=PIECES, name=st.sampled_from(NAMES))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_steps_grow_with_the_length_and_no_faster(
    views: ContentviewRegistry, start: bytes, piece: bytes, name: str
) -> None:
    """Twelve times the data may take no more than eighteen times the steps.

    Where few bytes are refused early and many are not, the steps for each byte are what is compared.
    """
    short, long = (start + piece * count for count in (200, 2400))
    few, many = (steps(views, data, name) for data in (short, long))
    assert many <= max(18 * few, 100 * len(long)) + 2000


def steps(views: ContentviewRegistry, data: bytes, name: str) -> int:
    """How many lines of Python laying *data* out executes."""
    flow = http_flow("http://example.com/", 200)
    assert flow.response
    flow.response.headers["content-type"] = "multipart/form-data; boundary=x" if name == "multipart" else ""
    flow.response.raw_content = data
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        views.prettify_message(flow.response, flow, name)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", NAMES)
def test_what_looks_endless_at_every_byte_ends(views: ContentviewRegistry, name: str) -> None:
    """What runs in C has no steps to count: where it were quadratic, this would run into the time-out."""
    size = int(min(views[name].limit, 128 * 1024))
    for piece in (b"<a '", b"=/[a", b'"\\', b"<!--", b"/*", b"\x0a\x7f", b"--x", b"%"):
        data = (piece * (size // len(piece) + 1))[:size]
        assert views.prettify(data, view_name=name).size == size
