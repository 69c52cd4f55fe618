"""The main job with real programs: `proxyfw -s script.py`, and curl, httpx and a browser through it."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from proxyfw.certs import Authority, Cert

EXAMPLES = Path(__file__).parents[2] / "examples"
PAGE = b"<!DOCTYPE html><html><body><h1>Shop</h1></body></html>"
TIME_LIMIT = 50
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.end_to_end


class Shop(BaseHTTPRequestHandler):
    """One page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def origins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    """The shop over HTTP and HTTPS, and the authority that vouches for it."""
    folder = tmp_path_factory.mktemp("origin")
    authority = Authority.create("Origins")
    (folder / "ca.pem").write_bytes(authority.cert.to_pem())
    (folder / "leaf.pem").write_bytes(authority.issue(["localhost", "127.0.0.1"]).to_pem())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.pem")
    plain, secure = (ThreadingHTTPServer(("127.0.0.1", 0), Shop) for _ in range(2))
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    for server in (plain, secure):
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield (
        f"http://localhost:{plain.server_port}/",
        f"https://localhost:{secure.server_port}/",
        folder / "ca.pem",
    )
    for server in (plain, secure):
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def proxy(
    origins: tuple[str, str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """The program with two of the examples; its URL and its authority's certificate."""
    confdir = tmp_path_factory.mktemp("conf")
    command = [
        *(sys.executable, "-m", "proxyfw", "--listen-port", "0", "--confdir", str(confdir)),
        *("-s", str(EXAMPLES / "add_header.py"), "-s", str(EXAMPLES / "rewrite_html.py")),
        *("--set", f"ssl_verify_upstream_trusted_ca={origins[2]}"),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr
        try:
            found = None
            while not found:
                line = program.stderr.readline()
                assert line, "the proxy ended before it listened"
                found = re.search(r"listening on (127\.0\.0\.1:\d+)", line)
            drain = threading.Thread(target=program.stderr.read, daemon=True)
            drain.start()
            yield f"http://{found[1]}", confdir / "proxyfw-ca-cert.pem"
        finally:
            program.terminate()
            assert program.wait(10) == 0
            drain.join(5)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_curl(proxy: tuple[str, Path], origins: tuple[str, str, Path], secure: bool) -> None:
    url, ca = proxy
    command = [
        "curl",
        "-sS",
        "-i",
        "-m",
        "20",
        "--noproxy",
        "",
        "-x",
        url,
        "--cacert",
        str(ca),
        origins[1] if secure else origins[0],
    ]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIME_LIMIT).stdout
    assert "x-proxyfw: hello" in answer.lower()
    assert "<p>Seen by proxyfw</p><h1>Shop</h1>" in answer


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_httpx(proxy: tuple[str, Path], origins: tuple[str, str, Path], secure: bool) -> None:
    url, ca = proxy
    trust = ssl.create_default_context(cafile=str(ca))
    with httpx.Client(proxy=url, verify=trust, trust_env=False) as client:
        answer = client.get(origins[1] if secure else origins[0])
    assert answer.headers["x-proxyfw"] == "hello"
    assert "<p>Seen by proxyfw</p><h1>Shop</h1>" in answer.text


@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_chromium(
    proxy: tuple[str, Path], origins: tuple[str, str, Path], secure: bool, tmp_path: Path
) -> None:
    """The browser is told to trust the authority by its key, so its other checks of the leaf stay on."""
    url, ca = proxy
    assert CHROMIUM
    flags = [
        "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--no-sandbox",
        f"--user-data-dir={tmp_path}", f"--proxy-server={url}", "--proxy-bypass-list=<-loopback>",
        f"--ignore-certificate-errors-spki-list={Cert.from_pem(ca.read_bytes()).spki_fingerprint()}",
        "--dump-dom",
    ]  # fmt: skip
    page = subprocess.run(
        [CHROMIUM, *flags, origins[1] if secure else origins[0]],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=True,
        env={**os.environ, "HOME": str(tmp_path)},
    ).stdout
    assert "<p>Seen by proxyfw</p><h1>Shop</h1>" in page
