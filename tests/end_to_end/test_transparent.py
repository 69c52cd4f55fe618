"""Transparent mode in network namespaces of the test's own: a client, a router with the proxy, a server."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyfw.certs import Authority

pytestmark = pytest.mark.end_to_end

PATIENCE = 30.0
CLIENT, ROUTER, SERVER = (f"pfw{os.getpid()}{side}" for side in "crs")

PROXY = """
import asyncio, json, sys
from proxyfw.proxy import Proxy

class Log:
    def request(self, flow):
        print(json.dumps([flow.request.scheme, flow.request.host, flow.request.pretty_host]), flush=True)
    def tcp_message(self, flow):
        print(json.dumps(["tcp", *flow.server_conn.address]), flush=True)

async def main():
    async with Proxy(json.loads(sys.argv[1]), addons=[Log()], default_addons=()) as proxy:
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""
SERVE = """
import asyncio, ssl, sys

async def http(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\nConnection: close\\r\\n\\r\\nfrom")
    await writer.drain()
    writer.close()

async def greet(reader, writer):
    writer.write(b"220 hi")
    await writer.drain()
    writer.close()

async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    for host in ("10.99.2.2", "fd99:2::2"):
        await asyncio.start_server(http, host, 80)
        await asyncio.start_server(http, host, 443, ssl=context)
        await asyncio.start_server(greet, host, 25)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""
RULES = """
table inet proxyfw {
    chain prerouting {
        type nat hook prerouting priority dstnat;
        iifname "toclient" tcp dport { 80, 443, 25 } redirect to :8080
    }
}
"""


def run(*command: str, given: str | None = None) -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def ip(*command: str, inside: str | None = None) -> None:
    run("ip", *(("-n", inside) if inside else ()), *command)


def link(one: str, name: str, other: str, othername: str, net: int) -> None:
    """A cable from namespace *one* to *other*, which are .1 and .2 of network *net*."""
    ip("link", "add", name, "netns", one, "type", "veth", "peer", "name", othername, "netns", other)
    for space, device, last in ((one, name, 1), (other, othername, 2)):
        ip("addr", "add", f"10.99.{net}.{last}/24", "dev", device, inside=space)
        ip("addr", "add", f"fd99:{net}::{last}/64", "dev", device, "nodad", inside=space)
        ip("link", "set", device, "up", inside=space)


def build() -> None:
    for space in (CLIENT, ROUTER, SERVER):
        ip("netns", "add", space)
        ip("link", "set", "lo", "up", inside=space)
    link(ROUTER, "toclient", CLIENT, "eth0", 1)
    link(ROUTER, "toserver", SERVER, "eth0", 2)
    for space, net in ((CLIENT, 1), (SERVER, 2)):
        ip("route", "add", "default", "via", f"10.99.{net}.1", inside=space)
        ip("-6", "route", "add", "default", "via", f"fd99:{net}::1", inside=space)
    run("ip", "netns", "exec", ROUTER, "nft", "-f", "-", given=RULES)


@pytest.fixture(scope="module")
def spaces() -> Iterator[None]:
    """Three namespaces in a row; redirection happens in the one in the middle."""
    missing = [tool for tool in ("ip", "nft") if not shutil.which(tool)]
    if sys.platform != "linux" or missing:
        pytest.skip(f"needs Linux with iproute2 and nftables; missing: {', '.join(missing) or 'Linux'}")
    try:
        build()
    except OSError as problem:
        if "syntax error" in str(problem):
            raise
        pytest.skip(f"network namespaces may not be made here: {problem}")
    else:
        yield
    finally:
        for space in (CLIENT, ROUTER, SERVER):
            subprocess.run(["ip", "netns", "del", space], capture_output=True)


async def started(space: str, program: str, *arguments: str) -> asyncio.subprocess.Process:
    """A Python program in a namespace that has said that it is ready."""
    process = await asyncio.create_subprocess_exec(
        "ip", "netns", "exec", space, sys.executable, "-c", program, *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    async with asyncio.timeout(PATIENCE):
        assert await process.stdout.readline() == b"ready\n"
    return process


async def stopped(process: asyncio.subprocess.Process) -> str:
    """What *process* has said, now that it has been told to end."""
    async with asyncio.timeout(PATIENCE):
        out, _ = await process.communicate(b"")
    return out.decode()


FETCH = """
import socket, ssl, sys
host, port, ca, name = sys.argv[1:]
sock = socket.create_connection((host, int(port)), 20)
if port == "443":
    sock = ssl.create_default_context(cafile=ca).wrap_socket(sock, server_hostname=name)
if port != "25":
    sock.sendall(b"GET / HTTP/1.1\\r\\nHost: example.test\\r\\nConnection: close\\r\\n\\r\\n")
data = b""
while piece := sock.recv(4096):
    data += piece
print(data.decode())
"""


@pytest.mark.parametrize("server", ["10.99.2.2", "fd99:2::2"])
async def test_redirected_connections_reach_where_they_were_going(
    spaces: None, tmp_path: Path, server: str
) -> None:
    """HTTP, HTTPS and a server that speaks first; SO_ORIGINAL_DST for IPv4 and IPv6."""
    authority = Authority.create("Test Origins")
    (tmp_path / "ca.pem").write_bytes(authority.cert.to_pem())
    (tmp_path / "leaf.pem").write_bytes(authority.issue(["example.test"]).to_pem())
    options = {
        "mode": ["transparent@8080"], "listen_host": "", "confdir": str(tmp_path / "confdir"),
        "ssl_verify_upstream_trusted_ca": str(tmp_path / "ca.pem"),
    }  # fmt: skip
    servers = await started(SERVER, SERVE, str(tmp_path / "leaf.pem"))
    proxy = await started(ROUTER, PROXY, json.dumps(options))
    ca = str(tmp_path / "confdir" / "proxyfw-ca-cert.pem")

    async def fetch(port: int, host: str = server) -> str:
        command = [
            "ip",
            "netns",
            "exec",
            CLIENT,
            sys.executable,
            "-c",
            FETCH,
            host,
            str(port),
            ca,
            "example.test",
        ]
        return await asyncio.to_thread(run, *command)

    try:
        assert (await fetch(80)).endswith("from\n")
        assert (await fetch(443)).endswith("from\n")
        assert await fetch(25) == "220 hi\n"
        itself = "10.99.1.1" if "." in server else "fd99:1::1"
        assert "is this proxy itself" in await fetch(8080, itself)
    finally:
        said = await stopped(proxy)
        await stopped(servers)
    assert [json.loads(line) for line in said.splitlines()] == [
        ["http", server, "example.test"],
        ["https", server, "example.test"],
        ["tcp", server, 25],
        ["http", itself, "example.test"],
    ]
