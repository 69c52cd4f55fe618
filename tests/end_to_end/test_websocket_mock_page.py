"""The page about mocked WebSockets: its rules and its program do what it says, to a real client."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from proxyfw.proxy import Proxy

pytestmark = pytest.mark.end_to_end

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "websocket-mock.md"
URL = "wss://chat.example.com/socket"


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return str(found)


def trust(proxy: Proxy) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(proxy.ca_cert_path))


async def test_the_rules(tmp_path: Path) -> None:
    """features 66."""
    (tmp_path / "rules.yaml").write_text(block("yaml").replace("200ms", "1ms"))
    async with Proxy(
        default_addons=("rules", "websocket_mock", "mock"),
        rules_file=[str(tmp_path / "rules.yaml")],
        mock=["|/none|x"],
        listen_port=0,
        confdir=str(tmp_path),
    ) as proxy:
        async with connect(URL, proxy=proxy.url, ssl=trust(proxy)) as socket:
            assert await socket.recv() == "welcome"
            for message in ("ping", "join us", "else", "quit"):
                await socket.send(message)
            assert [await socket.recv() for _ in range(4)] == [
                "pong", "you are in us", '{"users": ["alice", "bob"]}', "else",
            ]  # fmt: skip
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 1000
        with pytest.raises(InvalidStatus, match="HTTP 501"):
            await connect("wss://chat.example.com/none", proxy=proxy.url, ssl=trust(proxy))


async def test_the_program(tmp_path: Path) -> None:
    (tmp_path / "shout.py").write_text(block("python"))
    async with (
        Proxy(scripts=[str(tmp_path / "shout.py")], listen_port=0, confdir=str(tmp_path)) as proxy,
        connect(URL, proxy=proxy.url, ssl=trust(proxy)) as socket,
    ):
        await socket.send("hello")
        await socket.send(b"bytes")
        assert [await socket.recv(), await socket.recv()] == ["HELLO", b"BYTES"]
