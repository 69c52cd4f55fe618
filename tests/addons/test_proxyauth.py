"""The proxyauth addon: who is asked, in which words, and who is let in (5.2.53)."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from proxyfw.exceptions import OptionsError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.testing import End, World, addon_test_context, client_connection, http_flow, world
from proxyfw_addons.proxyauth import ProxyAuth, credentials, door
from proxyfw_addons.proxyauth import htpasswd as files
from proxyfw_addons.proxyauth.htpasswd import Htpasswd, apr1

GOOD, BAD = "u:p:w", "u:wrong"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
SHA = "u:{SHA}" + base64.b64encode(bytes.fromhex("5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8")).decode()
"""u:password"""


def basic(login: str) -> bytes:
    return b"Basic " + base64.b64encode(login.encode())


def get(login: str | None, name: bytes = b"Proxy-Authorization") -> bytes:
    field = b"%b: %b\r\n" % (name, basic(login)) if login else b""
    return b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n%b\r\n" % field


def connect(login: str | None) -> bytes:
    field = b"Proxy-Authorization: %b\r\n" % basic(login) if login else b""
    return b"CONNECT example.com:80 HTTP/1.1\r\nHost: example.com:80\r\n%b\r\n" % field


async def served(w: World, client: End, request: bytes) -> bytes:
    """What the origin is sent for *request*, which is let in."""
    origin = w.origin()
    client.write(request)
    server = await origin.accept()
    head = await server.head()
    server.write(OK)
    assert await client.message() == OK
    return head


def guarded(**options: Any) -> Any:
    return world(default_addons=["proxyauth"], **{"proxyauth": GOOD, **options})


@pytest.mark.parametrize("login", [None, BAD])
async def test_a_proxy_asks_with_407_and_the_connection_goes_on(login: str | None) -> None:
    """5.2.53."""
    async with guarded() as w:
        client = w.client()
        client.write(get(login))
        refused = await client.message()
        assert refused.startswith(b"HTTP/1.1 407 Proxy Authentication Required\r\n")
        assert b'Proxy-Authenticate: Basic realm="proxyfw"' in refused
        assert w.network.dialled == []
        head = await served(w, client, get(GOOD))
        assert b"uthorization" not in head  # it is for us only


async def test_every_plain_request_says_who_it_is_from() -> None:
    async with guarded() as w:
        client = w.client()
        await served(w, client, get(GOOD))
        client.write(get(None))
        assert (await client.message()).startswith(b"HTTP/1.1 407 ")


async def test_connect_opens_the_whole_tunnel() -> None:
    """5.2.53."""
    async with guarded() as w:
        client = w.client()
        client.write(connect(None))
        refused = await client.message()
        assert refused.startswith(b"HTTP/1.1 407 ")
        assert b"Proxy-Authenticate: Basic" in refused
        client.write(connect(GOOD))
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        head = await served(w, client, b"GET / HTTP/1.1\r\nHost: example.com\r\nAuthorization: mine\r\n\r\n")
        assert b"Authorization: mine\r\n" in head
        other = w.client()
        other.write(connect(BAD))
        assert (await other.message()).startswith(b"HTTP/1.1 407 ")


async def test_a_reverse_proxy_asks_with_401() -> None:
    """5.2.53."""
    async with guarded(mode=["reverse:http://example.com"]) as w:
        client = w.client()
        client.write(get(GOOD))  # which is the wrong header here
        refused = await client.message()
        assert refused.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
        assert b'WWW-Authenticate: Basic realm="proxyfw"' in refused
        assert b"Basic" not in await served(w, client, get(GOOD, b"Authorization"))


async def test_other_schemes_and_nonsense_are_asked_again() -> None:
    """5.2.53: wrong scheme handled."""
    for header in ("Bearer abc", "Basic", "Basic !!!", "Basic YQ==", "Basic \u00ff", "Digest x=y"):
        assert credentials(header) is None
    assert credentials("bAsIc " + base64.b64encode("ü:ö:ä".encode()).decode()) == ("ü", "ö:ä")
    async with guarded() as w:
        client = w.client()
        client.write(b"GET http://example.com/ HTTP/1.1\r\nHost: x\r\nProxy-Authorization: NTLM abc\r\n\r\n")
        assert (await client.message()).startswith(b"HTTP/1.1 407 ")


async def test_socks_logs_in_by_the_same_names() -> None:
    async with guarded(mode=["socks5"]) as w:
        client = w.client()
        client.write(b"\x05\x02\x00\x02\x01\x01u\x03p:w\x05\x01\x00\x03\x0bexample.com\x00\x50")
        assert await client.exactly(14) == b"\x05\x02\x01\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
        await served(w, client, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        for first, answer in (
            (b"\x05\x01\x02\x01\x01u\x01x", b"\x05\x02\x01\x01"),
            (b"\x05\x01\x00", b"\x05\xff"),
        ):
            other = w.client()
            other.write(first)
            assert await other.rest() == answer


async def test_without_the_option_nobody_is_asked() -> None:
    async with guarded(proxyauth=None, mode=["socks5"]) as w:
        client = w.client()
        client.write(b"\x05\x01\x00")
        assert await client.exactly(2) == b"\x05\x00"
    async with guarded(proxyauth=None) as w:
        await served(w, w.client(), get(None))


async def test_a_change_of_the_option_asks_those_inside_again() -> None:
    async with guarded() as w:
        client = w.client()
        client.write(connect(GOOD))
        await client.head()
        w.proxy.options.proxyauth = "other:word"
        client.write(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert (await client.message()).startswith(b"HTTP/1.1 407 ")


async def test_the_flow_says_who_it_was_and_not_the_password() -> None:
    async with guarded() as w:
        await served(w, w.client(), get(GOOD))
        (flow,) = await w.ended()
        assert isinstance(flow, HTTPFlow)
        assert flow.metadata == {"proxyauth": "u"}
        assert flow.request.headers.get("proxy-authorization") is None


async def test_replays_are_exempt() -> None:
    """5.2.53."""
    with addon_test_context(ProxyAuth(), proxyauth=GOOD) as context:
        flow: Flow = http_flow("http://example.com/", None, is_replay="request")
        await context.cycle(flow)
        assert isinstance(flow, HTTPFlow)
        assert flow.response is None
        refused = http_flow("http://example.com/", None)
        await context.cycle(refused)
        assert refused.response
        assert refused.response.status_code == 407


async def test_two_proxies_do_not_share_who_is_inside() -> None:
    one, two = ProxyAuth(), ProxyAuth()
    client = client_connection()
    with addon_test_context(one, proxyauth=GOOD) as context:
        flow = http_flow("http://example.com/", None, client_conn=client)
        flow.request.headers["Proxy-Authorization"] = basic(GOOD).decode()
        await one.http_connect(flow)
        assert flow.response is None
        await context.cycle(http_flow("http://example.com/", None, client_conn=client))
    with addon_test_context(two, proxyauth=GOOD) as context:
        flow = http_flow("http://example.com/", None, client_conn=client)
        await context.cycle(flow)
        assert flow.response


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [("user", "write user:password, any, or @FILE"), ("@/nowhere", "cannot read /nowhere: No such")],
)
def test_options_that_cannot_be_meant(spec: str, complaint: str) -> None:
    with pytest.raises(OptionsError, match=complaint), addon_test_context(ProxyAuth(), proxyauth=spec):
        pass


def test_one_header_cannot_hold_two_logins() -> None:
    with (
        pytest.raises(OptionsError, match="only one of both"),
        addon_test_context(ProxyAuth(), proxyauth=GOOD, upstream_auth="a:b", mode=["reverse:http://x"]),
    ):
        pass


def test_anybody_with_a_name() -> None:
    anybody = door("any")
    assert anybody
    assert anybody("somebody", "") is True
    assert anybody("", "x") is False
    assert door(None) is None


def test_comparison_takes_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """5.2.53: constant-time compare."""
    compared: list[tuple[bytes, bytes]] = []
    monkeypatch.setattr("hmac.compare_digest", lambda a, b: compared.append((a, b)))
    one = door(GOOD)
    assert one
    one("x", "y")
    assert compared == [(b"x:y", GOOD.encode())]


# Files


async def test_apache_md5_and_sha1_and_comments(tmp_path: Path) -> None:
    """The hashes are OpenSSL's and Apache's."""
    file = tmp_path / "htpasswd"
    file.write_text(f"# users\n\n{SHA}\nä:$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/\n")
    users = Htpasswd(str(file))
    assert await users.admits("u", "password")
    assert await users.admits("u", "password")  # from memory
    assert await users.admits("ä", "secret")
    assert not await users.admits("u", "secret")
    assert not await users.admits("nobody", "password")
    assert apr1(b"", b"x") != apr1(b"a" * 40, b"x")


async def test_bcrypt(tmp_path: Path) -> None:
    bcrypt = pytest.importorskip("bcrypt")
    file = tmp_path / "htpasswd"
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).replace(b"$2b$", b"$2y$").decode()
    file.write_text(f"u:{hashed}\n")
    users = Htpasswd(str(file))
    assert await users.admits("u", "secret")
    assert not await users.admits("u", "x" * 100)


def test_bcrypt_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bcrypt", None)
    file = tmp_path / "htpasswd"
    file.write_text("a:$2y$05$x\n")
    with pytest.raises(OptionsError, match=r"line 1: .*pip install 'proxyfw"):
        Htpasswd(str(file))


@pytest.mark.parametrize("line", ["u:plain", "u:$1$salt$hash", "u", "u:"])
def test_lines_that_are_not_known(tmp_path: Path, line: str) -> None:
    file = tmp_path / "htpasswd"
    file.write_text(f"{SHA}\n{line}\n")
    with pytest.raises(OptionsError, match=r"htpasswd, line 2: .*htpasswd -B"):
        Htpasswd(str(file))


async def test_a_change_of_the_file_counts_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "htpasswd"
    file.write_text(SHA + "\n")
    users = Htpasswd(str(file))
    assert await users.admits("u", "password")
    file.write_text("other" + SHA[1:] + "\n")
    os.utime(file, (1, 1))
    assert not await users.admits("u", "password")
    assert await users.admits("other", "password")
    file.write_text("broken")
    assert await users.admits("other", "password")
    assert "its users stay as they were" in caplog.text
    file.unlink()
    assert await users.admits("other", "password")
    file.write_text(SHA + "\n")
    assert await users.admits("u", "password")


async def test_unknown_users_cost_as_much_as_known_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks: list[str] = []

    def checker(hashed: str) -> Any:
        def check(password: bytes) -> bool:
            checks.append(hashed)
            return False

        return check

    monkeypatch.setattr(files, "_checker", checker)
    file = tmp_path / "htpasswd"
    file.write_text("u:hash\n")
    assert not await Htpasswd(str(file)).admits("nobody", "x")
    assert checks == ["hash"]
