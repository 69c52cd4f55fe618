"""Snippets are run, each by its own client: what arrives at an origin is what they were made of."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback_origin import Arrived, origin

from proxyfw.exceptions import CommandError
from proxyfw.http import Request
from proxyfw.testing import http_flow
from proxyfw_addons.export.formats import written

Case = tuple[str, str, bytes, list[tuple[bytes, bytes]]]

AGENT = (b"user-agent", b"tea/1.0")
CASES: dict[str, Case] = {
    "get": ("GET", "/a?b=c&d=%20%2Fe", b"", [(b"Accept", b"*/*"), (b"X-Case", b"kept"), AGENT]),
    "bare": ("GET", "/", b"", []),
    "form": ("POST", "/f", b"a=b&c=%26", [(b"Content-Type", b"application/x-www-form-urlencoded")]),
    "json": (
        "PUT", "/j", '{"name": "Jürgen\'s \\"tea\\" $HOME `id` !! %d @x",\n\t"n": 1}\n'.encode(),
        [(b"Content-Type", b"application/json"), (b"Accept-Encoding", b"gzip")],
    ),
    "binary": ("POST", "/b", bytes(range(256)) * 3, [(b"Content-Type", b"application/octet-stream")]),
    "at": ("POST", "/at", b"@/etc/hostname", [(b"X-Odd", b"@x; \"y\" 'z' \\ $(id)"), AGENT]),
    "empty": ("POST", "/e", b"", [(b"Content-Length", b"0"), (b"X-Empty", b"")]),
    "cookies": ("DELETE", "/c", b"", [(b"Cookie", b"a=b; c=d"), (b"Authorization", b"Basic eDp5")]),
    "latin": ("GET", "/l", b"", [(b"X-Latin", b"caf\xe9 \xff"), (b"X-Utf", "tée".encode())]),
    "large": ("POST", "/big", b"0123456789abcdef" * 20_000, [(b"Content-Type", b"text/plain")]),
    "head": ("HEAD", "/h", b"", [AGENT]),
    "host": ("GET", "/v", b"", [(b"Host", b"other.example"), AGENT]),
}  # fmt: skip
ADDED = {
    "curl": frozenset[bytes](),
    "httpie": frozenset[bytes](),
    "python_httpx": frozenset[bytes](),
    "python_requests": frozenset[bytes](),
    "node_fetch": frozenset(
        [b"accept", b"accept-language", b"sec-fetch-mode", b"user-agent", b"accept-encoding"]
    ),
}
"""The fields that a client adds whatever it is told."""
FRAMING = frozenset([b"host", b"content-length", b"connection", b"transfer-encoding", b"expect"])
SHELL = ["sh", "-ec", 'for each in "$@"; do sh -e "$each"; done', "sh"]
PYTHON = [sys.executable, "-c", "import runpy, sys\nfor path in sys.argv[1:]: runpy.run_path(path)"]
NODE = [
    "node", "--input-type=module", "-e",
    "for (const path of process.argv.slice(1)) await import('file://' + path)",
]  # fmt: skip
RUN = {"curl": SHELL, "httpie": SHELL, "python_httpx": PYTHON, "python_requests": PYTHON, "node_fetch": NODE}
NEEDS = {"curl": "curl", "httpie": "http", "node_fetch": "node"}
UNABLE = {("httpie", "latin"), ("node_fetch", "host")}
"""What a client cannot send, so that it is not written."""


def request_of(case: Case, port: int) -> Request:
    method, path, body, fields = case
    host = [] if any(name == b"Host" for name, _ in fields) else [(b"Host", f"127.0.0.1:{port}".encode())]
    length = [(b"Content-Length", str(len(body)).encode())] if body else []
    all_fields = [*host, (b"Connection", b"keep-alive"), *fields, *length]
    return Request(
        "127.0.0.1", port, method.encode(), b"http", b"", path.encode(), b"HTTP/1.1", all_fields, body, None,
        0.0, 0.0,
    )  # fmt: skip


def run(format: str, snippets: list[bytes], folder: Path) -> None:
    """Run *snippets* one after the other, in one process."""
    if format in NEEDS and shutil.which(NEEDS[format]) is None:
        pytest.skip(f"{NEEDS[format]} is not installed")
    paths = [folder / f"{number}.mjs" for number in range(len(snippets))]
    for path, snippet in zip(paths, snippets, strict=True):
        path.write_bytes(snippet)
    done = subprocess.run(
        [*RUN[format], *map(str, paths)], capture_output=True, timeout=50, cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()


@pytest.fixture(scope="module", params=RUN)
def arrivals(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, dict[str, tuple[Request, Arrived]]]]:
    """A format, and for each case it can write what was exported, and what arrived."""
    format: str = request.param
    with origin() as server:
        exported = {
            name: request_of(case, server.port)
            for name, case in CASES.items()
            if (format, name) not in UNABLE
        }
        snippets = [written(format, http_flow(each)) for each in exported.values()]
        run(format, snippets, tmp_path_factory.mktemp(format))
        yield format, {name: (each, server.next()) for name, each in exported.items()}
        assert server.empty


@pytest.mark.end_to_end
@pytest.mark.parametrize("name", CASES)
def test_what_arrives_is_what_was_sent(
    arrivals: tuple[str, dict[str, tuple[Request, Arrived]]], name: str
) -> None:
    """Features 83."""
    format, found = arrivals
    if name not in found:
        with pytest.raises(CommandError, match="choose another format"):
            written(format, http_flow(request_of(CASES[name], 1)))
        return
    request, arrived = found[name]
    assert (arrived.method, arrived.target) == (request.method_bytes, request.path_bytes)
    assert arrived.body == request.raw_content
    assert arrived.get(b"host") == request.headers["host"].encode()
    assert kept(format, arrived) == wanted(format, request)


def kept(format: str, arrived: Arrived) -> list[tuple[bytes, bytes]]:
    """The fields that are neither framing nor the client's own, as far as it keeps order and case."""
    added = ADDED[format]
    fields = [pair for pair in arrived.fields if pair[0].lower() not in FRAMING | added]
    return sorted((name.lower(), value) for name, value in fields) if loose(format) else fields


def wanted(format: str, request: Request) -> list[tuple[bytes, bytes]]:
    left_out = FRAMING | ADDED[format]
    fields = [pair for pair in request.headers.fields if pair[0].lower() not in left_out]
    return sorted((name.lower(), value) for name, value in fields) if loose(format) else fields


def loose(format: str) -> bool:
    return format in ("node_fetch", "httpie")


@pytest.mark.end_to_end
@pytest.mark.parametrize("format", ["curl", "python_httpx"])
def test_targets_that_clients_like_to_change(format: str, tmp_path: Path) -> None:
    targets = ["/a/../b/./c", "/[x]{y,z}|`^", "/'\"<>", "/%7e%2f?a=[1-3]", "//x", "/a#b"]
    with origin() as server:
        requests = [request_of(("GET", target, b"", [AGENT]), server.port) for target in targets]
        run(format, [written(format, http_flow(each)) for each in requests], tmp_path)
        assert [server.next().target.decode() for _ in targets] == targets


def test_the_raw_request_is_what_an_origin_reads() -> None:
    with origin() as server, socket.create_connection(("127.0.0.1", server.port)) as sock:
        request = request_of(CASES["binary"], server.port)
        sock.sendall(written("raw_request", http_flow(request)))
        arrived = server.next()
    assert (arrived.method, arrived.target, arrived.body) == (b"POST", b"/b", request.raw_content)
    assert arrived.fields == request.headers.fields
