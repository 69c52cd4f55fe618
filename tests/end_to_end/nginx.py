"""An nginx of its own for a test: HTTP/2 over TLS and without, files to fetch and a place to put some."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

PROGRAM = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

_CONFIG = """
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log {directory}/access.log;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    http2_max_concurrent_streams {streams};
    keepalive_requests {requests};
    client_max_body_size 100m;
    server {{
        listen 127.0.0.1:{tls} ssl http2;
        listen 127.0.0.1:{clear} http2;
        ssl_certificate {certificate};
        ssl_certificate_key {certificate};
        root {directory}/files;
        location = /protocol {{ return 200 "$server_protocol $http_host"; }}
        location = /missing {{ return 404 "not here"; }}
        location /put/ {{ dav_methods PUT; root {directory}/files; }}
    }}
}}
"""


class Nginx:
    """A running server; `tls` and `clear` are its ports."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.tls = _free_port()
        self.clear = _free_port()

    def file(self, name: str, content: bytes) -> None:
        (self.directory / "files" / name).write_bytes(content)

    def put(self, name: str) -> bytes:
        """What a client has put under ``/put/``."""
        return (self.directory / "files" / "put" / name).read_bytes()

    @property
    def log(self) -> str:
        return (self.directory / "access.log").read_text()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def running(
    directory: Path, certificate: str, streams: int = 128, requests: int = 100_000
) -> AsyncIterator[Nginx]:
    """Start nginx in *directory* with the PEM file *certificate*, and stop it in the end."""
    assert PROGRAM
    nginx = Nginx(directory)
    (directory / "files" / "put").mkdir(parents=True)
    for path in (directory, directory / "files", directory / "files" / "put"):
        path.chmod(0o777)
    user = "user root;\n" if os.geteuid() == 0 else ""
    config = _CONFIG.format(
        directory=directory, certificate=certificate, tls=nginx.tls, clear=nginx.clear, streams=streams,
        requests=requests,
    )  # fmt: skip
    (directory / "nginx.conf").write_text(user + config)
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "-e", str(directory / "error.log"), "-c", str(directory / "nginx.conf"), "-p", str(directory)
    )
    try:
        await _answers(nginx.tls, directory)
        yield nginx
    finally:
        process.terminate()
        await process.wait()


async def _answers(port: int, directory: Path) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            await writer.wait_closed()
            return
    raise TimeoutError((directory / "error.log").read_text())
