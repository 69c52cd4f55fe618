"""SOCKS 5 in both roles: every message, every refusal, and no dependence on how bytes were cut."""

from __future__ import annotations

import pytest

from proxyfw.exceptions import LocalProtocolError, ProtocolError
from proxyfw.protocol.socks import (
    CONNECT,
    LOGIN,
    NO_LOGIN,
    NONE_ACCEPTABLE,
    Asking,
    Greeting,
    Listening,
    Login,
    Reply,
    Request,
    UnknownAddressType,
)

TO_NAME = b"\x05\x01\x00\x03\x0bexample.com\x01\xbb"


def asked(request: bytes) -> object:
    codec = Listening()
    codec.receive(b"\x05\x01\x00")
    codec.choose(NO_LOGIN)
    return codec.receive(request)


def test_a_client_without_login_asks_for_a_name() -> None:
    """5.2.50."""
    codec = Listening()
    assert codec.receive(b"\x05\x01") is None
    assert codec.receive(b"\x00") == Greeting(b"\x00")
    assert codec.choose(NO_LOGIN) == b"\x05\x00"
    assert codec.receive(TO_NAME + b"hello") == Request(CONNECT, "example.com", 443)
    assert codec.unread == b"hello"
    assert codec.reply(Reply.SUCCEEDED, ("192.0.2.1", 80)) == b"\x05\x00\x00\x01\xc0\x00\x02\x01\x00\x50"


def test_a_client_logs_in() -> None:
    """5.2.50."""
    codec = Listening()
    assert codec.receive(b"\x05\x02\x00\x02") == Greeting(b"\x00\x02")
    assert codec.choose(LOGIN) == b"\x05\x02"
    assert codec.receive(b"\x01\x04user\x06s\xc3\xa9cre") == Login("user", "sécre")
    assert codec.judge(True) == b"\x01\x00"
    assert codec.receive(TO_NAME) == Request(CONNECT, "example.com", 443)


def test_nothing_is_read_after_a_refusal() -> None:
    codec = Listening()
    codec.receive(b"\x05\x01\x02")
    assert codec.choose(NONE_ACCEPTABLE) == b"\x05\xff"
    assert codec.receive(TO_NAME) is None
    other = Listening()
    other.receive(b"\x05\x01\x02")
    other.choose(LOGIN)
    other.receive(b"\x01\x01a\x01b")
    assert other.judge(False) == b"\x01\x01"
    assert other.receive(TO_NAME) is None


@pytest.mark.parametrize(
    ("raw", "host"),
    [
        (b"\x01\x7f\x00\x00\x01", "127.0.0.1"),
        (b"\x04" + bytes(15) + b"\x01", "::1"),
        (b"\x03\x09localhost", "localhost"),
        (b"\x03\x05[::1]", "::1"),
    ],
)
def test_addresses_of_every_type(raw: bytes, host: str) -> None:
    """5.2.50."""
    assert asked(b"\x05\x01\x00" + raw + b"\x00\x50") == Request(CONNECT, host, 80)


def test_other_commands_are_reported_as_they_are() -> None:
    assert asked(b"\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00") == Request(2, "0.0.0.0", 0)


@pytest.mark.parametrize(
    ("first", "hint"),
    [
        (b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", "SOCKS 4"),
        (b"GET / HTTP/1.1\r\n", "looks like HTTP"),
        (b"CONNECT example.com:443 HTTP/1.1\r\n", "looks like HTTP"),
        (b"\x16\x03\x01\x02\x00", "this is TLS"),
        (b"\x00", "0x00"),
    ],
)
def test_what_is_not_socks5_is_named(first: bytes, hint: str) -> None:
    """5.2.50."""
    with pytest.raises(ProtocolError, match=hint):
        Listening().receive(first)


def test_nonsense_in_a_request_is_refused() -> None:
    with pytest.raises(UnknownAddressType, match="address type 2"):
        asked(b"\x05\x01\x00\x02\x00")
    with pytest.raises(ProtocolError, match="version 4"):
        asked(b"\x04\x01\x00")
    with pytest.raises(ProtocolError, match="not the name of a host"):
        asked(b"\x05\x01\x00\x03\x03a\r\n\x00\x50")
    with pytest.raises(ProtocolError, match="not the name of a host"):
        asked(b"\x05\x01\x00\x03\x00\x00\x50")


def test_asking_with_login() -> None:
    codec = Asking(("example.com", 443), ("user", "secret"))
    assert codec.begin() == b"\x05\x02\x00\x02"
    assert codec.receive(b"\x05\x02") == b"\x01\x04user\x06secret"
    assert codec.receive(b"\x01\x00") == TO_NAME
    assert codec.receive(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00220 hi") == b""
    assert codec.done
    assert codec.unread == b"220 hi"


def test_asking_for_addresses() -> None:
    assert Asking(("192.0.2.1", 80)).receive(b"\x05\x00") == b"\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"
    request = Asking(("2001:db8::1", 80)).receive(b"\x05\x00")
    assert request[:8] == b"\x05\x01\x00\x04\x20\x01\x0d\xb8"
    assert b"xn--mnchen-3ya.de" in Asking(("münchen.de", 80)).receive(b"\x05\x00")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "does not speak SOCKS 5"),
        (b"\x05\xff", "wants user name and password"),
        (b"\x05\x02", "wants user name and password"),
        (b"\x05\x00\x05\x05\x00\x01", "connection refused"),
        (b"\x05\x00\x05\x63\x00\x01", "error 99"),
        (b"\x05\x00\x05\x00\x00\x07\x00", "address type 7"),
    ],
)
def test_a_proxy_that_refuses_is_quoted(answer: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason) as caught:
        Asking(("example.com", 443)).receive(answer)
    if "type" not in reason:
        assert caught.value.status == 502


def test_a_refused_login_is_named() -> None:
    codec = Asking(("example.com", 443), ("user", "wrong"))
    codec.receive(b"\x05\x02")
    with pytest.raises(ProtocolError, match="does not accept user name and password"):
        codec.receive(b"\x01\x01")


def test_what_cannot_be_said_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="host name"):
        Asking(("a" * 256, 80))
    with pytest.raises(LocalProtocolError, match="1 to 255 bytes"):
        Asking(("example.com", 80), ("", "x"))
