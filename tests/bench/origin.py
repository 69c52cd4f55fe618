"""Where requests end: nginx for HTTP, HTTPS and HTTP/2, a server of ours for WebSocket and uploads."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from echo import Echo
from machine import free_port, program

GIB = 1 << 30
_SIZES = {"1k": 1 << 10, "1m": 1 << 20}

_NGINX = """
daemon off; master_process off; pid {home}/nginx.pid; error_log {home}/nginx.log crit;
events {{ worker_connections 8192; }}
http {{
  access_log off; sendfile on; tcp_nodelay on; etag off; types {{ }} default_type application/octet-stream;
  keepalive_timeout 900; keepalive_requests 100000000; http2_max_concurrent_streams 256;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
  ssl_certificate {home}/origin.pem; ssl_certificate_key {home}/origin.key;
  server {{
    listen 127.0.0.1:{http} backlog=4096;
    listen 127.0.0.1:{https} ssl http2 backlog=4096;
    root {home}/files;
  }}
}}
"""
_EXTENSIONS = "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"


@dataclass(frozen=True)
class Origin:
    """A running origin: its ports, the certificate of its CA, and a file of 1 GiB."""

    http: int
    https: int
    echo: int
    ca: Path
    large: Path

    @property
    def urls(self) -> tuple[str, str]:
        """Where it serves plain and over TLS; without the port where it is the usual one."""
        return (
            "http://localhost" if self.http == 80 else f"http://localhost:{self.http}",
            "https://localhost" if self.https == 443 else f"https://localhost:{self.https}",
        )


@cache
def body(name: str) -> bytes:
    """What the file *name* holds: the same random bytes every time."""
    return random.Random(name).randbytes(_SIZES[name])


@contextmanager
def running(home: Path, own_network: bool) -> Iterator[Origin]:
    """An origin in the folder *home*; on ports 80 and 443 where they are ours."""
    files = home / "files"
    files.mkdir(parents=True)
    for name in _SIZES:
        (files / name).write_bytes(body(name))
    with open(files / "1g", "wb") as large:
        large.truncate(GIB)
    make_authority(home, "origin CA")
    _make_certificate(home)
    http, https = (80, 443) if own_network else (free_port(), free_port())
    (home / "nginx.conf").write_text(_NGINX.format(home=home, http=http, https=https))
    command: list[str | Path] = [program("nginx") or "nginx", "-p", home, "-c", home / "nginx.conf"]
    nginx = subprocess.Popen([*command, "-e", home / "nginx.log"])
    try:
        with Echo(home / "origin.pem", home / "origin.key") as echo:
            yield Origin(http, https, echo.port, home / "ca.pem", files / "1g")
    finally:
        nginx.terminate()
        nginx.wait()


def make_authority(home: Path, name: str) -> None:
    """Write ``ca.pem`` and ``ca.key``, with an EC key, into *home*."""
    _openssl(
        home, "req", "-x509", *_NEW_KEY, "ca.key", "-out", "ca.pem", "-days", "30", "-subj", f"/CN={name}"
    )


def _make_certificate(home: Path) -> None:
    (home / "extensions").write_text(_EXTENSIONS)
    _openssl(home, "req", *_NEW_KEY, "origin.key", "-out", "origin.csr", "-subj", "/CN=localhost")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "extensions")
    _openssl(home, "x509", "-req", "-in", "origin.csr", *signed, "-out", "origin.pem")


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout")


def _openssl(home: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=home, check=True, capture_output=True)
